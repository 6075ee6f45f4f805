//! Ids: a prefix that says the kind, and a UUIDv7 in 26 characters of lower-case Crockford base32.
//!
//! The form is that of TypeID (<https://github.com/jetify-com/typeid>, version 0.3.0): the 128 bits are written from
//! the left with two zero bits in front, so that ids sort as text in the order of their bytes.

use std::fmt;

use uuid::Uuid;

use super::{AsciiText, Time};

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
const LENGTH: usize = 26;

/// What all kinds of id have in common.
pub trait Id: Copy + Ord + fmt::Display {
    /// The prefix in front of the 26 characters, its underscore included.
    const PREFIX: &'static str;

    /// The id with these 16 bytes.
    fn from_uuid(uuid: Uuid) -> Self;

    /// The 16 bytes as they are stored.
    fn uuid(self) -> Uuid;

    /// Reads the form that `Display` writes, and that alone: lower case, the right prefix, 26 characters, at most 128 bits.
    fn parse(text: &str) -> Result<Self, MalformedId> {
        text.strip_prefix(Self::PREFIX)
            .and_then(decode)
            .map(Self::from_uuid)
            .ok_or(MalformedId { expected: Self::PREFIX })
    }

    /// As it is written.
    fn ascii(self) -> AsciiText {
        AsciiText::new([Self::PREFIX.as_bytes(), &characters(self.uuid())])
    }

    /// When the thing was created: the time in the id, to the millisecond.
    fn created_at(self) -> Time {
        Time::from_millis(millis(self.uuid()))
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident $prefix:literal;)+) => {
        $(
            $(#[$doc])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
            pub struct $name(Uuid);

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
                    formatter.write_str(self.ascii().as_str())
                }
            }
        )+

        /// An id of any kind, told by its prefix.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum AnyId {
            $($(#[$doc])* $name($name),)+
        }

        impl AnyId {
            /// Reads an id of any kind.
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
    /// The id of a memberbase.
    MemberbaseId "mb_";
    /// The id of a member.
    MemberId "m_";
    /// The id of a clip.
    ClipId "clip_";
    /// The id of a stamp collection.
    StampCollectionId "sc_";
    /// The id of a transaction.
    TransactionId "txn_";
    /// The id of an API token.
    ApiTokenId "atok_";
    /// The id of a sync.
    SyncId "sync_";
}

/// A text that is not an id of the kind that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected {} and 26 characters of lower-case Crockford base32", prefixes(.expected))]
pub struct MalformedId {
    expected: &'static str,
}

fn prefixes(expected: &str) -> String {
    expected.split_whitespace().collect::<Vec<_>>().join(" or ")
}

fn characters(uuid: Uuid) -> [u8; LENGTH] {
    // 60 bits make 12 characters: a machine word at a time.
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
    // Two of the 130 bits of 26 characters are not there: the first character is 0 to 7.
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
    fn the_examples_of_typeid_read_and_write() {
        let uuid: Uuid = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("a UUID");
        let id = MemberId::from_uuid(uuid);
        assert_eq!(id.to_string(), "m_01h455vb4pex5vsknk084sn02q");
        assert_eq!(MemberId::parse("m_01h455vb4pex5vsknk084sn02q"), Ok(id));
        assert_eq!(MemberId::parse("m_7zzzzzzzzzzzzzzzzzzzzzzzzz").expect("the largest").uuid(), Uuid::max());
    }

    #[test]
    fn what_is_not_an_id_is_refused() {
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
    fn a_refusal_says_what_was_expected() {
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
            let (left, right) = (MemberId::from_uuid(Uuid::from_u128(left)), MemberId::from_uuid(Uuid::from_u128(right)));
            prop_assert_eq!(left.cmp(&right), left.to_string().cmp(&right.to_string()));
        }

        #[test]
        fn what_parses_prints_as_it_was(text in "m_[0-9a-z]{26}") {
            if let Ok(id) = MemberId::parse(&text) {
                prop_assert_eq!(id.to_string(), text);
            }
        }
    }
}
