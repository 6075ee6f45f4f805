//! Members as rows of other things name them: by id, or by ref.

use uuid::Uuid;

use crate::{
    db::{ArrayColumn, ArrayTable, ColumnSpec, ScalarBind, Session},
    domain::{Error, RowError, RowErrorCode, access::Scope, text},
    types::{Id, MemberId},
};

/// The name of a member.
#[derive(Clone, Copy, Debug)]
pub enum MemberIdentifier<'a> {
    /// Its id.
    Id(MemberId),
    /// Its ref.
    Ref(&'a str),
}

impl<'a> MemberIdentifier<'a> {
    /// Reads the two fields of a row, of which exactly one is given.
    pub(in crate::domain) fn read(id: Option<&str>, reference: Option<&'a str>) -> Result<Self, RowError> {
        match (id, reference) {
            (Some(id), None) => MemberId::parse(id)
                .map(Self::Id)
                .map_err(|error| RowError::invalid("memberId", format!("memberId: {error}"))),
            (None, Some(reference)) => Ok(Self::Ref(reference)),
            (None, None) => Err(RowError::invalid("memberId", "one of memberId and memberRef is needed")),
            (Some(_), Some(_)) => Err(RowError::invalid("memberRef", "memberId and memberRef exclude each other")),
        }
    }

    /// Its id, where it is named so.
    pub(in crate::domain) fn id(&self) -> Option<MemberId> {
        match self {
            Self::Id(id) => Some(*id),
            Self::Ref(_) => None,
        }
    }

    /// What is wrong with a row whose member is not there.
    pub(in crate::domain) fn not_found_error(&self) -> RowError {
        let (message, field) = match self {
            Self::Id(id) => (format!("member {id} does not exist in this memberbase"), "memberId"),
            Self::Ref(_) => ("no member of this memberbase has this ref".to_owned(), "memberRef"),
        };
        RowError { code: RowErrorCode::UnknownMember, message, path: vec![field.to_owned()] }
    }
}

/// Of each name the member, where the memberbase has it. What can't be a ref names nobody.
pub(in crate::domain) async fn resolve(
    session: &Session,
    scope: Scope,
    names: &[Option<MemberIdentifier<'_>>],
) -> Result<Vec<Option<Uuid>>, Error> {
    let (mut ids, mut refs) = ((Vec::new(), Vec::new()), (Vec::new(), Vec::new()));
    let mut steps = session.steps();
    for (place, name) in names.iter().enumerate() {
        steps.step().await?;
        match name {
            Some(MemberIdentifier::Id(id)) => {
                ids.0.push(place);
                ids.1.push(id.uuid());
            }
            Some(MemberIdentifier::Ref(reference)) if text::ref_fault(reference).is_none() => {
                refs.0.push(place);
                refs.1.push(*reference);
            }
            Some(MemberIdentifier::Ref(_)) | None => {}
        }
    }
    let mut found = vec![None; names.len()];
    for (column, places, values) in
        [("id", ids.0, ArrayColumn::Uuids(ids.1)), ("ref", refs.0, ArrayColumn::Texts(refs.1))]
    {
        if places.is_empty() {
            continue;
        }
        let sql = format!(
            "SELECT input.n, member.id FROM {{rows}} AS input \
            CROSS JOIN member WHERE member.memberbase_id = $1 AND member.{column} = input.{column}"
        );
        let names = [ColumnSpec::Int("n"), ColumnSpec::Id("id")];
        let scalars = [ScalarBind::Uuid(scope.memberbase().uuid())];
        let there = session.bulk_columns(&sql, &names, &scalars, &ArrayTable::new([(column, values)])).await?;
        for (n, id) in there.column::<usize>(0)?.into_iter().zip(there.column(1)?) {
            found[places[n]] = Some(id);
        }
    }
    Ok(found)
}

/// Keeps these members, each named once, from being deleted before the transaction ends; answers whether all of them are
/// there. For PostgreSQL: SQLite has one writer.
pub(in crate::domain) async fn lock_key_share(
    session: &Session,
    scope: Scope,
    members: Vec<Uuid>,
) -> Result<bool, Error> {
    // In the order of refs, as all locks of members.
    let sql = "SELECT member.id FROM {rows} AS input \
        CROSS JOIN member WHERE member.memberbase_id = $1 AND member.id = input.id \
        ORDER BY member.ref FOR KEY SHARE OF member";
    let (asked, mut there) = (members.len(), 0);
    let count = |_| {
        there += 1;
        Ok(())
    };
    let rows = ArrayTable::new([("id", ArrayColumn::Uuids(members))]);
    session.bulk_each(sql, &[ScalarBind::Uuid(scope.memberbase().uuid())], &rows, count).await?;
    Ok(there == asked)
}
