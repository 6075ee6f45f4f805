//! Validation of refs and other text fields.

use std::borrow::Cow;

use super::{Error, RowError, RowErrorCode};

/// Maximum length of a ref and of every other text field.
pub(crate) const MAX_BYTES: usize = 1024;

/// Returns why a text is not a valid ref.
pub(crate) fn ref_fault(text: &str) -> Option<RowError> {
    let message = if text.is_empty() {
        Cow::from("ref is empty; a ref has 1 to 1024 bytes")
    } else if text.len() > MAX_BYTES {
        format!("ref has {} bytes; a ref has 1 to 1024", text.len()).into()
    } else if text.contains('\0') {
        "ref holds a NUL character".into()
    } else {
        return None;
    };
    Some(RowError::new(RowErrorCode::InvalidRef, "ref", message))
}

/// Returns why a text is not valid in a text field. The message continues a sentence that starts with the field's name.
pub(crate) fn fault(text: &str) -> Option<String> {
    if text.len() > MAX_BYTES {
        Some(format!("has {} bytes; at most {MAX_BYTES} are allowed", text.len()))
    } else {
        text.contains('\0').then(|| "holds a NUL character".to_owned())
    }
}

/// Rejects a text that is not valid in a text field.
pub(crate) fn check(field: &str, text: &str) -> Result<(), Error> {
    fault(text).map_or(Ok(()), |fault| Err(Error::bad_input(field, format!("{field} {fault}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ref_has_1_to_1024_bytes_without_nul() {
        for good in ["a", " ", "'; DROP TABLE member; --", "m_01h455vb4pex5vsknk084sn02q", &"é".repeat(512)] {
            assert_eq!(ref_fault(good), None, "{good}");
        }
        for bad in ["", "a\0", "\0", &"a".repeat(1025), &("é".repeat(512) + "a")] {
            assert_eq!(ref_fault(bad).map(|error| error.code), Some(RowErrorCode::InvalidRef), "{bad}");
        }
    }
}
