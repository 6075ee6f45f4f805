//! Changes of single attribute values: setting them for any members in one call, and removing them.

use std::{collections::HashSet, mem};

use sea_orm::{ConnectionTrait, DbBackend, QueryResult};
use uuid::Uuid;

use super::{
    MemberIdentifier,
    bulk_upsert::{Members, Row},
};
use crate::{
    app::App,
    db::{ArrayColumn, ArrayTable, Lock, ScalarBind, Session},
    domain::{
        Error, RowError, RowErrorCode,
        access::Scope,
        attribute::{Attributes, Schema},
        bulk::{Failures, Mode, OnError, Options, store, update},
        change, memberbase,
    },
    types::{Id, MemberId, RowKind, RowOutcome, Time},
};

/// The value of one attribute of one member.
#[derive(Clone, Debug)]
pub(crate) struct NewValue {
    /// The member's id, as text that is not validated yet.
    pub(crate) member_id: String,
    pub(crate) key: String,
    /// The value as JSON; null removes the stored value.
    pub(crate) value: Box<str>,
}

/// Selects the attribute values to remove.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removal {
    /// The members; `None` for all. An unknown id is ignored.
    pub(crate) members: Option<Vec<MemberId>>,
    /// The attribute keys; `None` for all.
    pub(crate) keys: Option<Vec<String>>,
}

/// Sets all values in one transaction, or none. If a value is given twice, the last one is stored.
pub(crate) async fn set_attributes(app: &App, scope: Scope, values: &[NewValue]) -> Result<(), Error> {
    const UPDATE: Options = Options { on_error: OnError::SkipFailed, mode: Mode::UpdateOnly, dry_run: false };
    let identifiers: Vec<_> =
        values.iter().map(|value| MemberIdentifier::parse(Some(&value.member_id), None)).collect();
    let ids: Vec<_> =
        identifiers.iter().map(|identifier| identifier.as_ref().ok().and_then(MemberIdentifier::id)).collect();
    let set = async |session: Session| {
        let schema = memberbase::get(&session, scope).await?.attribute_schema;
        let refs = refs(&session, scope, &ids).await?;
        let mut failures = Failures::new();
        let mut rows = Vec::with_capacity(values.len());
        let mut steps = session.steps();
        for (index, (value, reference)) in values.iter().zip(refs).enumerate() {
            steps.step().await?;
            let row = match (&identifiers[index], reference) {
                (Ok(_), Some(reference)) => Ok(value.row(reference)),
                (Ok(identifier), None) => Err(identifier.not_found_error()),
                (Err(error), _) => Err(error.clone()),
            };
            rows.push(row.map_err(|error| failures.insert(index, error)).ok());
        }
        let rows: Vec<_> = rows.iter().map(Option::as_ref).collect();
        let members = Members::new(app, schema, true);
        let mut upserted = store(&session, scope, &members, &rows, failures, UPDATE).await.outcome?;
        let mut failures = mem::take(&mut upserted.failures);
        for error in failures.values_mut() {
            set_input_path(error);
        }
        for (index, identifier) in identifiers.iter().enumerate() {
            // The look-up of the refs takes no locks: a concurrent call may have deleted the member since, and even
            // given its ref to a new one.
            if let Ok(identifier) = identifier
                && upserted.ids[index] != identifier.id()
            {
                failures.entry(index).or_insert_with(|| identifier.not_found_error());
            }
        }
        OnError::RejectBatch.check(&failures)?;
        Ok::<_, Error>(upserted)
    };
    let upserted = app.db.write(Lock::Shared(scope.memberbase().uuid()), set).await?;
    upserted.count(app, RowKind::Member);
    change::upserted(app, scope, &upserted);
    Ok(())
}

impl NewValue {
    fn row(&self, reference: String) -> Row {
        let key = serde_json::Value::from(self.key.as_str());
        Row::new(reference, Some(Some(format!("{{{key}:{}}}", self.value).into())), None)
    }
}

/// Replaces the path of a failure in a member's row (`attributes.KEY`) by the field of [`NewValue`].
fn set_input_path(error: &mut RowError) {
    let field = match error.code {
        RowErrorCode::UnknownAttribute => "attributeKey",
        RowErrorCode::UnknownMember => return,
        _ if error.field() == "attributes" => "value",
        _ => return,
    };
    error.set_field(field);
}

/// Returns the ref of each member; `None` if the memberbase has no such member.
async fn refs(session: &Session, scope: Scope, ids: &[Option<MemberId>]) -> Result<Vec<Option<String>>, Error> {
    let sql = "SELECT input.position, member.ref FROM {rows} AS input \
        CROSS JOIN member WHERE member.memberbase_id = $1 AND member.id = input.id";
    let mut positions = Vec::new();
    let mut uuids = Vec::new();
    for (position, id) in (0..).zip(ids) {
        if let Some(id) = id {
            positions.push(position);
            uuids.push(id.uuid());
        }
    }
    let mut refs = vec![None; ids.len()];
    let take = |row: QueryResult| {
        let position: i64 = row.try_get_by_index(0)?;
        refs[usize::try_from(position).expect("positions are not negative")] = Some(row.try_get_by_index(1)?);
        Ok(())
    };
    let rows = ArrayTable::new([("id", ArrayColumn::Uuids(uuids)), ("position", ArrayColumn::Ints(positions))]);
    session.bulk_each(sql, &[ScalarBind::Uuid(scope.memberbase().uuid())], &rows, take).await?;
    Ok(refs)
}

/// Removes values in one transaction, and returns their number. Members without any of them are not written.
pub(crate) async fn remove_attributes(app: &App, scope: Scope, removal: &Removal) -> Result<u64, Error> {
    let remove = async |session: Session| {
        let schema = memberbase::get(&session, scope).await?.attribute_schema;
        let keys = removal.keys(&schema)?;
        let now = Time::now();
        let mut removed = 0;
        let mut changed_members = Vec::new();
        let mut steps = session.steps();
        let candidates = removal.lock_candidates(&session, scope, &keys).await?;
        for chunk in candidates.chunks(MAX_DOCUMENTS_PER_STATEMENT) {
            let mut changes = Vec::new();
            for (id, document) in documents(&session, scope, chunk).await? {
                steps.step().await?;
                let mut attributes = Attributes::read(Some(&document))?;
                let count = keys.iter().filter(|key| attributes.remove(key)).count();
                if count > 0 {
                    removed += count as u64;
                    changed_members.push(id);
                    changes.push((id, attributes.document()));
                }
            }
            write(&session, scope, &changes, now).await?;
        }
        Ok::<_, Error>((removed, changed_members))
    };
    let (removed, members) = app.db.write(Lock::Shared(scope.memberbase().uuid()), remove).await?;
    app.rows.add(RowKind::Member, RowOutcome::Updated, members.len() as u64);
    change::updated(app, scope, members.into_iter());
    Ok(removed)
}

/// Maximum number of documents in memory at a time: each may be large, and every member of the memberbase may have one.
const MAX_DOCUMENTS_PER_STATEMENT: usize = 2_000;

impl Removal {
    /// Returns the distinct keys. Fails if the schema does not declare one of them.
    fn keys<'a>(&'a self, schema: &'a Schema) -> Result<Vec<&'a str>, Error> {
        let Some(keys) = &self.keys else {
            return Ok(schema.definitions().iter().map(|definition| definition.key.as_str()).collect());
        };
        let mut failures = Failures::new();
        for (index, key) in keys.iter().enumerate() {
            if schema.kind(key).is_none() {
                failures.insert(index, RowError::unknown_attribute(key));
            }
        }
        OnError::RejectBatch.check(&failures)?;
        Ok(keys.iter().map(String::as_str).collect::<HashSet<_>>().into_iter().collect())
    }

    /// Returns the members that may have such values. On PostgreSQL it locks them, in the order of refs as all locks of
    /// members.
    async fn lock_candidates(&self, session: &Session, scope: Scope, keys: &[&str]) -> Result<Vec<Uuid>, Error> {
        let backend = session.get_database_backend();
        let (tables, rows) = match &self.members {
            Some(ids) => {
                let mut uuids: Vec<_> = ids.iter().map(|id| id.uuid()).collect();
                uuids.sort_unstable();
                uuids.dedup();
                let tables = "{rows} AS input CROSS JOIN member WHERE member.id = input.id".to_owned();
                (tables, ArrayTable::new([("id", ArrayColumn::Uuids(uuids))]))
            }
            None => {
                let has = attribute_keys(backend);
                let tables = format!(
                    "member WHERE EXISTS (SELECT 1 FROM {has} WHERE has.key IN (SELECT input.key FROM {{rows}} AS input))"
                );
                (tables, ArrayTable::new([("key", ArrayColumn::Texts(keys.to_vec()))]))
            }
        };
        let lock = match backend {
            DbBackend::Sqlite => "",
            _ => "ORDER BY member.ref FOR NO KEY UPDATE OF member",
        };
        let sql = format!(
            "SELECT member.id FROM {tables} AND member.memberbase_id = $1 AND member.attributes IS NOT NULL {lock}"
        );
        let mut members = Vec::new();
        let take = |row: QueryResult| {
            members.push(row.try_get_by_index(0)?);
            Ok(())
        };
        session.bulk_each(&sql, &[ScalarBind::Uuid(scope.memberbase().uuid())], &rows, take).await?;
        Ok(members)
    }
}

/// Returns the attribute documents of the members that have one, with the members' ids.
async fn documents(session: &Session, scope: Scope, members: &[Uuid]) -> Result<Vec<(Uuid, String)>, Error> {
    let sql = "SELECT member.id, CAST(member.attributes AS text) FROM {rows} AS input CROSS JOIN member \
        WHERE member.memberbase_id = $1 AND member.id = input.id AND member.attributes IS NOT NULL";
    let mut documents = Vec::with_capacity(members.len());
    let take = |row: QueryResult| {
        documents.push((row.try_get_by_index(0)?, row.try_get_by_index(1)?));
        Ok(())
    };
    let rows = ArrayTable::new([("id", ArrayColumn::Uuids(members.to_vec()))]);
    session.bulk_each(sql, &[ScalarBind::Uuid(scope.memberbase().uuid())], &rows, take).await?;
    Ok(documents)
}

/// Writes attribute documents, and `now` as the time of the change.
async fn write(session: &Session, scope: Scope, changes: &[(Uuid, Option<String>)], now: Time) -> Result<(), Error> {
    if changes.is_empty() {
        return Ok(());
    }
    let sql = update(session.get_database_backend(), "member", &["attributes"]);
    let rows = ArrayTable::new([
        ("id", ArrayColumn::Uuids(changes.iter().map(|(id, _)| *id).collect())),
        ("updated_at", ArrayColumn::Ints(vec![now.micros(); changes.len()])),
        ("attributes", ArrayColumn::Documents(changes.iter().map(|(_, document)| document.as_deref()).collect())),
    ]);
    session.bulk(&sql, &[ScalarBind::Uuid(scope.memberbase().uuid())], &rows).await?;
    Ok(())
}

/// Returns a table expression `has` with one row per attribute value of `member`, and its `key`.
pub(in crate::domain) fn attribute_keys(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "json_each(member.attributes) AS has",
        _ => "LATERAL jsonb_object_keys(member.attributes) AS has (key)",
    }
}
