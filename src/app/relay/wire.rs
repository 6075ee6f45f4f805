//! Changes as notifications, whose texts have less than 8,000 bytes: several fit into one, or one is cut into several, which
//! PostgreSQL keeps together and in order.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::types::{Change, Id, MAX_REPORTED_IDS, MemberId, MemberbaseId, Touched};

/// As much of the encoded bytes goes into one notification.
const MAX_FRAGMENT_BYTES: usize = 7_800;

/// What of a change stands before its ids: the memberbase, three counts, three numbers of ids, flags.
const HEADER_BYTES: usize = 16 + 3 * 8 + 3 * 2 + 1;

/// A server, which knows what it sent itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app) struct ServerId(Uuid);

impl Default for ServerId {
    fn default() -> Self {
        Self(Uuid::now_v7())
    }
}

/// What one server tells the others at a time.
#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub(super) changes: Vec<Arc<Change>>,
    /// Whether others before it are lost.
    pub(super) lost: bool,
}

/// The texts of a parcel.
pub(super) fn fragments(server: ServerId, parcel: &Message) -> Vec<String> {
    let mut bytes = vec![u8::from(parcel.lost)];
    parcel.changes.iter().for_each(|change| encode(&mut bytes, change));
    let text = URL_SAFE_NO_PAD.encode(bytes);
    let count = text.len().div_ceil(MAX_FRAGMENT_BYTES);
    // The number makes them differ: PostgreSQL sends equal ones once.
    let piece = |(number, place): (usize, usize)| {
        let part = &text[place..text.len().min(place + MAX_FRAGMENT_BYTES)];
        format!("{} {number} {count} {part}", server.0.simple())
    };
    (1..).zip((0..text.len()).step_by(MAX_FRAGMENT_BYTES)).map(piece).collect()
}

/// Puts the pieces of other servers together.
#[derive(Debug)]
pub(super) struct Inbox {
    own: ServerId,
    begun: Option<PartialMessage>,
}

#[derive(Debug)]
struct PartialMessage {
    server: Uuid,
    pieces: usize,
    text: String,
}

impl Inbox {
    /// Of this server, whose own pieces are passed over.
    pub(super) fn new(own: ServerId) -> Self {
        Self { own, begun: None }
    }

    /// Takes a piece, and gives the parcel that it makes whole. What can't be read, of a later version for instance, is a loss.
    pub(super) fn receive(&mut self, text: &str) -> Option<Message> {
        let lost = Some(Message { changes: Vec::new(), lost: true });
        let begun = self.begun.take();
        let Some((server, number, count, part)) = split(text) else { return lost };
        if server == self.own.0 {
            return None;
        }
        let mut begun = match begun {
            None if number == 1 => PartialMessage { server, pieces: 0, text: String::new() },
            Some(begun) if begun.server == server && begun.pieces + 1 == number => begun,
            _ => return lost,
        };
        begun.pieces = number;
        begun.text.push_str(part);
        if number < count {
            self.begun = Some(begun);
            return None;
        }
        URL_SAFE_NO_PAD.decode(begun.text).ok().and_then(|bytes| decode(&bytes)).or(lost)
    }
}

fn split(text: &str) -> Option<(Uuid, usize, usize, &str)> {
    let mut fields = text.splitn(4, ' ');
    let server = Uuid::try_parse(fields.next()?).ok()?;
    let (number, count) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some((server, number, count, fields.next()?))
}

fn encode(bytes: &mut Vec<u8>, change: &Change) {
    let Change { memberbase, created, updated, deleted, missed, last } = change;
    let all = [created, updated, deleted];
    bytes.extend_from_slice(memberbase.uuid().as_bytes());
    all.iter().for_each(|touched| bytes.extend_from_slice(&touched.count.to_be_bytes()));
    for touched in all {
        let ids = u16::try_from(touched.ids.len()).expect("a change tells a thousand ids at most");
        bytes.extend_from_slice(&ids.to_be_bytes());
    }
    bytes.push(u8::from(*missed) | u8::from(*last) << 1);
    all.iter().flat_map(|touched| &touched.ids).for_each(|id| bytes.extend_from_slice(id.uuid().as_bytes()));
}

fn decode(bytes: &[u8]) -> Option<Message> {
    let (&lost, mut rest) = bytes.split_first()?;
    let mut changes = Vec::new();
    while !rest.is_empty() {
        let (head, behind) = rest.split_at_checked(HEADER_BYTES)?;
        let (ids, flags) = (&head[40..46], head[46]);
        let mut members = behind;
        let mut touched = [Touched::default(), Touched::default(), Touched::default()];
        for (at, touched) in touched.iter_mut().enumerate() {
            let count = u16::from_be_bytes(ids[2 * at..2 * at + 2].try_into().ok()?);
            let (own, others) = members.split_at_checked(16 * usize::from(count))?;
            touched.count = u64::from_be_bytes(head[16 + 8 * at..24 + 8 * at].try_into().ok()?);
            touched.ids =
                own.chunks_exact(16).filter_map(|id| Uuid::from_slice(id).ok()).map(MemberId::from_uuid).collect();
            members = others;
            if count > 0 && touched.count > MAX_REPORTED_IDS {
                return None;
            }
        }
        rest = members;
        let [created, updated, deleted] = touched;
        let memberbase = MemberbaseId::from_uuid(Uuid::from_slice(&head[..16]).ok()?);
        let (missed, last) = (flags & 1 != 0, flags & 2 != 0);
        changes.push(Arc::new(Change { memberbase, created, updated, deleted, missed, last }));
    }
    Some(Message { changes, lost: lost != 0 })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn uuid() -> impl Strategy<Value = Uuid> {
        any::<u128>().prop_map(Uuid::from_u128)
    }

    fn touched() -> impl Strategy<Value = Touched> {
        let told = prop::collection::vec(uuid().prop_map(MemberId::from_uuid), 0..400).prop_map(Touched::from_iter);
        prop_oneof![told, any::<u64>().prop_map(Touched::counted)]
    }

    prop_compose! {
        fn change()(
            memberbase in uuid(), created in touched(), updated in touched(), deleted in touched(),
            missed in any::<bool>(), last in any::<bool>(),
        ) -> Arc<Change> {
            let memberbase = MemberbaseId::from_uuid(memberbase);
            Arc::new(Change { memberbase, created, updated, deleted, missed, last })
        }
    }

    proptest! {
        #[test]
        fn a_parcel_arrives_as_it_was_sent(changes in prop::collection::vec(change(), 0..5), lost in any::<bool>()) {
            let (sender, parcel) = (ServerId::default(), Message { changes, lost });
            let mut inbox = Inbox::new(ServerId::default());
            let mut texts = fragments(sender, &parcel);
            prop_assert!(texts.iter().all(|text| text.len() < 8_000 && text.bytes().all(|byte| byte != b'\'')));
            let last = texts.pop().expect("at least one");
            for text in &texts {
                prop_assert_eq!(inbox.receive(text), None);
            }
            prop_assert_eq!(inbox.receive(&last), Some(parcel));
        }

        #[test]
        fn what_is_no_piece_is_a_loss(text in "\\PC*") {
            let lost = Some(Message { changes: Vec::new(), lost: true });
            prop_assert_eq!(Inbox::new(ServerId::default()).receive(&text), lost);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes);
        }
    }

    #[test]
    fn a_gap_is_a_loss_and_what_comes_after_it_is_read() {
        let ids: Touched = (0..900).map(|_| MemberId::from_uuid(Uuid::now_v7())).collect();
        let change = Change { created: ids, ..Change::new(MemberbaseId::from_uuid(Uuid::now_v7())) };
        let parcel = || Message { changes: vec![Arc::new(change.clone())], lost: false };
        let (own, sender) = (ServerId::default(), ServerId::default());
        let texts = fragments(sender, &parcel());
        assert!(texts.len() > 2, "{}", texts.len());
        let mut inbox = Inbox::new(own);
        assert_eq!(inbox.receive(&texts[0]), None);
        assert!(inbox.receive(&texts[2]).is_some_and(|parcel| parcel.lost));
        let whole: Vec<_> = texts.iter().filter_map(|text| inbox.receive(text)).collect();
        assert_eq!(whole, [parcel()]);
        assert!(fragments(own, &parcel()).iter().all(|text| inbox.receive(text).is_none()), "its own");
    }
}
