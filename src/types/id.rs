//! Ids: a prefix for the kind, and a UUIDv7 as 26 characters of lower-case Crockford base32.
//!
//! The format is TypeID (<https://github.com/jetify-com/typeid>, version 0.3.0): the 128 bits, with two leading zero
//! bits, are written from the left, so that ids sort as text in the order of their bytes.

use std::fmt;

use arrayvec::ArrayVec;
use uuid::Uuid;

use super::Time;

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 26;
const MAX_PREFIX_LENGTH: usize = 5;

pub trait Id: Copy + Ord + fmt::Display {
    /// The prefix of the 26 characters, including the underscore.
    const PREFIX: &'static str;

    fn from_uuid(uuid: Uuid) -> Self;

    /// Returns the 16 bytes, as stored in the database.
    fn uuid(self) -> Uuid;

    /// Parses exactly the text that `Display` writes: the right prefix, then 26 lower-case characters of at most 128
    /// bits.
    fn parse(text: &str) -> Result<Self, MalformedId> {
        text.strip_prefix(Self::PREFIX)
            .and_then(decode)
            .map(Self::from_uuid)
            .ok_or(MalformedId { expected: Self::PREFIX })
    }

    /// Returns the text of the id in ASCII, without heap allocation and without `fmt`: a page contains thousands of ids.
    fn ascii(self) -> ArrayVec<u8, { MAX_PREFIX_LENGTH + LENGTH }> {
        let mut text = ArrayVec::new();
        for part in [Self::PREFIX.as_bytes(), &encode(self.uuid())] {
            text.try_extend_from_slice(part).expect("the longest id fits");
        }
        text
    }

    /// Returns the time of creation, which is part of the id, in milliseconds.
    fn created_at(self) -> Time {
        Time::from_millis(millis(self.uuid()))
    }
}

macro_rules! ids {
    ($($name:ident $prefix:literal;)+) => {
        $(
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(Uuid);

            const _: () = assert!($prefix.len() <= MAX_PREFIX_LENGTH);

            impl Id for $name {
                const PREFIX: &'static str = $prefix;

                fn from_uuid(uuid: Uuid) -> Self {
                    Self(uuid)
                }

                fn uuid(self) -> Uuid {
                    self.0
                }
            }

            impl fmt::Display for $name {
                fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                    formatter.write_str(str::from_utf8(&self.ascii()).expect("it is ASCII"))
                }
            }
        )+

        /// An id of any kind, distinguished by its prefix.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AnyId {
            $($name($name),)+
        }

        impl AnyId {
            pub fn parse(text: &str) -> Result<Self, MalformedId> {
                $(if text.starts_with($prefix) {
                    return $name::parse(text).map(Self::$name);
                })+
                Err(MalformedId { expected: concat!($($prefix, " "),+) })
            }
        }
    };
}

ids! {
    MemberbaseId "mb_";
    MemberId "m_";
    ClipId "clip_";
    StampCollectionId "sc_";
    TransactionId "txn_";
    ApiTokenId "atok_";
    SyncId "sync_";
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {} and 26 characters of lower-case Crockford base32", prefixes(.expected))]
pub struct MalformedId {
    expected: &'static str,
}

fn prefixes(expected: &str) -> String {
    expected.split_whitespace().collect::<Vec<_>>().join(" or ")
}

fn encode(uuid: Uuid) -> [u8; LENGTH] {
    // Arithmetic on machine words: 60 bits make 12 characters.
    let bits = uuid.as_u128();
    let mut text = [0; LENGTH];
    for (end, bits) in [(26, bits), (14, bits >> 60), (2, bits >> 120)] {
        let mut word = Uuid::from_u128(bits).as_u64_pair().1;
        for character in text[..end].iter_mut().rev().take(12) {
            *character = ALPHABET[(word & 31) as usize];
            word >>= 5;
        }
    }
    text
}

fn decode(text: &str) -> Option<Uuid> {
    // 26 characters hold 130 bits, of which the first two are zero: the first character is 0 to 7.
    if text.len() != LENGTH || text.as_bytes()[0] > b'7' {
        return None;
    }
    let mut bits: u128 = 0;
    for byte in text.bytes() {
        let value = ALPHABET.iter().position(|&character| character == byte)?;
        bits = bits << 5 | value as u128;
    }
    Some(Uuid::from_u128(bits))
}

fn millis(uuid: Uuid) -> i64 {
    i64::try_from(uuid.as_u128() >> 80).expect("48 bits fit")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_typeid_examples_parse_and_print() {
        let uuid: Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("a UUID");
        let id = MemberId::from_uuid(uuid);
        assert_eq!(id.to_string(), "m_01h455vb4pex5vsknk084sn02q");
        assert_eq!(MemberId::parse("m_01h455vb4pex5vsknk084sn02q"), Ok(id));
        assert_eq!(MemberId::parse("m_7zzzzzzzzzzzzzzzzzzzzzzzzz").expect("the largest").uuid(), Uuid::max());
    }

    #[test]
    fn malformed_ids_are_rejected() {
        for text in [
            "",
            "m_",
            "01h455vb4pex5vsknk084sn02q",
            "mb_01h455vb4pex5vsknk084sn02q",
            "m_01h455vb4pex5vsknk084sn02",
            "m_01h455vb4pex5vsknk084sn02q0",
            "m_01H455VB4PEX5VSKNK084SN02Q",
            "m_01h455vb4pex5vsknk084sn02u",
            "m_8zzzzzzzzzzzzzzzzzzzzzzzzz",
            "m_01h455vb4pex5vsknk084sn0é",
            " m_01h455vb4pex5vsknk084sn02q",
        ] {
            assert!(MemberId::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn an_error_names_the_expected_form() {
        let error = MemberId::parse("mb_x").expect_err("the wrong kind");
        assert_eq!(error.to_string(), "expected m_ and 26 characters of lower-case Crockford base32");
        let error = AnyId::parse("user_1").expect_err("no kind");
        assert!(
            error.to_string().starts_with("expected mb_ or m_ or clip_ or sc_ or txn_ or atok_ or sync_ and"),
            "{error}"
        );
    }

    proptest! {
        #[test]
        fn parse_after_print_is_the_same_id(bits: u128) {
            let id = MemberbaseId::from_uuid(Uuid::from_u128(bits));
            prop_assert_eq!(MemberbaseId::parse(&id.to_string()), Ok(id));
            prop_assert_eq!(AnyId::parse(&id.to_string()), Ok(AnyId::MemberbaseId(id)));
        }

        #[test]
        fn text_sorts_as_bytes(left: u128, right: u128) {
            let left = MemberId::from_uuid(Uuid::from_u128(left));
            let right = MemberId::from_uuid(Uuid::from_u128(right));
            prop_assert_eq!(left.cmp(&right), left.to_string().cmp(&right.to_string()));
        }

        #[test]
        fn print_after_parse_is_the_same_text(text in "m_[0-9a-z]{26}") {
            if let Ok(id) = MemberId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
