//! The encoding of changes as notifications. The payload of a notification is shorter than 8,000 bytes, so a message is
//! split into fragments; PostgreSQL delivers those of one transaction together and in order.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use uuid::Uuid;

use crate::types::{Change, Id, MAX_REPORTED_IDS, MemberId, MemberbaseId, Touched};

/// Maximum length of a message's part in one notification, after encoding.
const MAX_FRAGMENT_BYTES: usize = 7_800;

/// Length of a change's header: the memberbase, three counts, three numbers of ids, flags.
const HEADER_BYTES: usize = 16 + 3 * 8 + 3 * 2 + 1;

/// The id of a server process, by which it recognizes its own messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::app) struct ServerId(Uuid);

impl Default for ServerId {
    fn default() -> Self {
        Self(Uuid::now_v7())
    }
}

#[derive(Debug, PartialEq)]
pub(super) struct Message {
    pub(super) changes: Vec<Arc<Change>>,
    /// True if changes before these were lost.
    pub(super) lost: bool,
}

/// Encodes a message as the payloads of notifications.
pub(super) fn fragments(server: ServerId, message: &Message) -> Vec<String> {
    let mut bytes = vec![u8::from(message.lost)];
    message.changes.iter().for_each(|change| encode(&mut bytes, change));
    let text = URL_SAFE_NO_PAD.encode(bytes);
    let count = text.len().div_ceil(MAX_FRAGMENT_BYTES);
    // The fragment's number makes payloads differ: PostgreSQL removes duplicates within a transaction.
    let fragment = |(number, offset): (usize, usize)| {
        let part = &text[offset..text.len().min(offset + MAX_FRAGMENT_BYTES)];
        format!("{} {number} {count} {part}", server.0.simple())
    };
    (1..).zip((0..text.len()).step_by(MAX_FRAGMENT_BYTES)).map(fragment).collect()
}

/// Reassembles the messages of other servers from fragments.
#[derive(Debug)]
pub(super) struct Inbox {
    own: ServerId,
    partial: Option<PartialMessage>,
}

#[derive(Debug)]
struct PartialMessage {
    server: Uuid,
    fragments: usize,
    text: String,
}

impl Inbox {
    /// Returns the inbox of this server, which ignores the server's own messages.
    pub(super) fn new(own: ServerId) -> Self {
        Self { own, partial: None }
    }

    /// Takes a fragment. Returns the message that it completes, if any. A fragment that can't be decoded, for instance
    /// one of a later version, counts as a loss.
    pub(super) fn receive(&mut self, text: &str) -> Option<Message> {
        let lost = Some(Message { changes: Vec::new(), lost: true });
        let previous = self.partial.take();
        let Some((server, number, count, part)) = split(text) else { return lost };
        if server == self.own.0 {
            return None;
        }
        let mut partial = match previous {
            None if number == 1 => PartialMessage { server, fragments: 0, text: String::new() },
            Some(partial) if partial.server == server && partial.fragments + 1 == number => partial,
            _ => return lost,
        };
        partial.fragments = number;
        partial.text.push_str(part);
        if number < count {
            self.partial = Some(partial);
            return None;
        }
        URL_SAFE_NO_PAD.decode(partial.text).ok().and_then(|bytes| decode(&bytes)).or(lost)
    }
}

fn split(text: &str) -> Option<(Uuid, usize, usize, &str)> {
    let mut fields = text.splitn(4, ' ');
    let server = Uuid::try_parse(fields.next()?).ok()?;
    let number = fields.next()?.parse().ok()?;
    let count = fields.next()?.parse().ok()?;
    Some((server, number, count, fields.next()?))
}

fn encode(bytes: &mut Vec<u8>, change: &Change) {
    let Change { memberbase, created, updated, deleted, missed, last } = change;
    let all = [created, updated, deleted];
    bytes.extend_from_slice(memberbase.uuid().as_bytes());
    all.iter().for_each(|touched| bytes.extend_from_slice(&touched.count.to_be_bytes()));
    for touched in all {
        let ids = u16::try_from(touched.ids.len()).expect("a change contains at most 1,000 ids");
        bytes.extend_from_slice(&ids.to_be_bytes());
    }
    bytes.push(u8::from(*missed) | u8::from(*last) << 1);
    all.iter().flat_map(|touched| &touched.ids).for_each(|id| bytes.extend_from_slice(id.uuid().as_bytes()));
}

fn decode(bytes: &[u8]) -> Option<Message> {
    let (&lost, mut rest) = bytes.split_first()?;
    let mut changes = Vec::new();
    while !rest.is_empty() {
        let (head, after_head) = rest.split_at_checked(HEADER_BYTES)?;
        let id_counts = &head[40..46];
        let flags = head[46];
        let mut ids_left = after_head;
        let mut touched = [Touched::default(), Touched::default(), Touched::default()];
        for (index, touched) in touched.iter_mut().enumerate() {
            let count = u16::from_be_bytes(id_counts[2 * index..2 * index + 2].try_into().ok()?);
            let (own, others) = ids_left.split_at_checked(16 * usize::from(count))?;
            touched.count = u64::from_be_bytes(head[16 + 8 * index..24 + 8 * index].try_into().ok()?);
            touched.ids =
                own.chunks_exact(16).filter_map(|id| Uuid::from_slice(id).ok()).map(MemberId::from_uuid).collect();
            ids_left = others;
            if count > 0 && touched.count > MAX_REPORTED_IDS {
                return None;
            }
        }
        rest = ids_left;
        let [created, updated, deleted] = touched;
        let memberbase = MemberbaseId::from_uuid(Uuid::from_slice(&head[..16]).ok()?);
        let missed = flags & 1 != 0;
        let last = flags & 2 != 0;
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
        let listed = prop::collection::vec(uuid().prop_map(MemberId::from_uuid), 0..400).prop_map(Touched::from_iter);
        prop_oneof![listed, any::<u64>().prop_map(Touched::counted)]
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
        fn a_message_arrives_as_it_was_sent(changes in prop::collection::vec(change(), 0..5), lost in any::<bool>()) {
            let sender = ServerId::default();
            let message = Message { changes, lost };
            let mut inbox = Inbox::new(ServerId::default());
            let mut texts = fragments(sender, &message);
            prop_assert!(texts.iter().all(|text| text.len() < 8_000 && text.bytes().all(|byte| byte != b'\'')));
            let last = texts.pop().expect("at least one");
            for text in &texts {
                prop_assert_eq!(inbox.receive(text), None);
            }
            prop_assert_eq!(inbox.receive(&last), Some(message));
        }

        #[test]
        fn an_invalid_fragment_is_a_loss(text in "\\PC*") {
            let lost = Some(Message { changes: Vec::new(), lost: true });
            prop_assert_eq!(Inbox::new(ServerId::default()).receive(&text), lost);
        }

        #[test]
        fn decoding_arbitrary_bytes_does_not_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            decode(&bytes);
        }
    }

    #[test]
    fn a_missing_fragment_is_a_loss_and_later_messages_are_received() {
        let ids: Touched = (0..900).map(|_| MemberId::from_uuid(Uuid::now_v7())).collect();
        let change = Change { created: ids, ..Change::new(MemberbaseId::from_uuid(Uuid::now_v7())) };
        let message = || Message { changes: vec![Arc::new(change.clone())], lost: false };
        let own = ServerId::default();
        let sender = ServerId::default();
        let texts = fragments(sender, &message());
        assert!(texts.len() > 2, "{}", texts.len());
        let mut inbox = Inbox::new(own);
        assert_eq!(inbox.receive(&texts[0]), None);
        assert!(inbox.receive(&texts[2]).is_some_and(|message| message.lost));
        let whole: Vec<_> = texts.iter().filter_map(|text| inbox.receive(text)).collect();
        assert_eq!(whole, [message()]);
        assert!(fragments(own, &message()).iter().all(|text| inbox.receive(text).is_none()), "its own");
    }
}
