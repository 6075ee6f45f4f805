//! References to members in the rows of bulk calls: by id, or by ref.

use std::borrow::Cow;

use uuid::Uuid;

use crate::{
    db::{ArrayColumn, ArrayTable, ColumnSpec, ScalarBind, Session},
    domain::{Error, RowError, RowErrorCode, access::Scope, text},
    types::{Id, MemberId},
};

#[derive(Clone, Copy, Debug)]
pub(crate) enum MemberIdentifier<'a> {
    Id(MemberId),
    Ref(&'a str),
}

impl<'a> MemberIdentifier<'a> {
    /// Parses the fields `memberId` and `memberRef` of a row, of which exactly one has to be present.
    pub(in crate::domain) fn parse(id: Option<&str>, reference: Option<&'a str>) -> Result<Self, RowError> {
        match (id, reference) {
            (Some(id), None) => MemberId::parse(id)
                .map(Self::Id)
                .map_err(|error| RowError::invalid("memberId", format!("memberId: {error}"))),
            (None, Some(reference)) => Ok(Self::Ref(reference)),
            (None, None) => Err(RowError::invalid("memberId", "one of memberId and memberRef is required")),
            (Some(_), Some(_)) => Err(RowError::invalid("memberRef", "memberId and memberRef are mutually exclusive")),
        }
    }

    /// Returns the id, if the member is identified by id.
    pub(in crate::domain) fn id(&self) -> Option<MemberId> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Ref(_) => None,
        }
    }

    pub(in crate::domain) fn not_found_error(&self) -> RowError {
        let (message, field): (Cow<'_, _>, _) = match self {
            Self::Id(id) => (format!("member {id} does not exist in this memberbase").into(), "memberId"),
            Self::Ref(_) => ("no member of this memberbase has this ref".into(), "memberRef"),
        };
        RowError::new(RowErrorCode::UnknownMember, field, message)
    }
}

/// Resolves identifiers to the members' ids; `None` for one without a member in the memberbase, and for a text that is
/// not a valid ref.
pub(in crate::domain) async fn resolve(
    session: &Session,
    scope: Scope,
    identifiers: &[Option<MemberIdentifier<'_>>],
) -> Result<Vec<Option<Uuid>>, Error> {
    let mut ids = Vec::new();
    let mut id_indexes = Vec::new();
    let mut refs = Vec::new();
    let mut ref_indexes = Vec::new();
    let mut steps = session.steps();
    for (index, identifier) in identifiers.iter().enumerate() {
        steps.step().await?;
        match identifier {
            Some(MemberIdentifier::Id(id)) => {
                ids.push(id.uuid());
                id_indexes.push(index);
            }
            Some(MemberIdentifier::Ref(reference)) if text::ref_fault(reference).is_none() => {
                refs.push(*reference);
                ref_indexes.push(index);
            }
            Some(MemberIdentifier::Ref(_)) | None => {}
        }
    }
    let mut resolved = vec![None; identifiers.len()];
    for (column, values, indexes) in
        [("id", ArrayColumn::Uuids(ids), id_indexes), ("ref", ArrayColumn::Texts(refs), ref_indexes)]
    {
        if indexes.is_empty() {
            continue;
        }
        let sql = format!(
            "SELECT input.n, member.id FROM {{rows}} AS input \
            CROSS JOIN member WHERE member.memberbase_id = $1 AND member.{column} = input.{column}"
        );
        let columns = [ColumnSpec::Int("n"), ColumnSpec::Id("id")];
        let scalars = [ScalarBind::Uuid(scope.memberbase().uuid())];
        let found = session.bulk_columns(&sql, &columns, &scalars, &ArrayTable::new([(column, values)])).await?;
        for (n, id) in found.column::<usize>(0)?.into_iter().zip(found.column(1)?) {
            resolved[indexes[n]] = Some(id);
        }
    }
    Ok(resolved)
}

/// Locks distinct members against deletion until the transaction ends. Returns whether all of them exist. For
/// PostgreSQL only: SQLite has one writer.
pub(in crate::domain) async fn lock_key_share(
    session: &Session,
    scope: Scope,
    members: Vec<Uuid>,
) -> Result<bool, Error> {
    // All locks of members are taken in the order of refs.
    let sql = "SELECT member.id FROM {rows} AS input \
        CROSS JOIN member WHERE member.memberbase_id = $1 AND member.id = input.id \
        ORDER BY member.ref FOR KEY SHARE OF member";
    let expected = members.len();
    let mut locked = 0;
    let count = |_| {
        locked += 1;
        Ok(())
    };
    let rows = ArrayTable::new([("id", ArrayColumn::Uuids(members))]);
    session.bulk_each(sql, &[ScalarBind::Uuid(scope.memberbase().uuid())], &rows, count).await?;
    Ok(locked == expected)
}
