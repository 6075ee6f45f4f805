//! Attributes by themselves: single values of any members set in one call, and values removed.

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
pub struct NewValue {
    /// The member's id.
    pub member_id: String,
    /// The attribute.
    pub key: String,
    /// JSON; null removes the value that is there.
    pub value: Box<str>,
}

/// Which values are to go.
#[derive(Clone, Debug, Default)]
pub struct Removal {
    /// Of these members; none for all. An id that names nobody is no error.
    pub members: Option<Vec<MemberId>>,
    /// Of these attributes; none for all.
    pub keys: Option<Vec<String>>,
}

/// Sets values, all of them in one transaction or none. Of one that is there twice the last counts.
pub async fn set_attributes(app: &App, scope: Scope, values: &[NewValue]) -> Result<(), Error> {
    const UPDATE: Options = Options { on_error: OnError::SkipFailed, mode: Mode::UpdateOnly, dry_run: false };
    let named: Vec<_> = values.iter().map(|value| MemberIdentifier::read(Some(&value.member_id), None)).collect();
    let ids: Vec<_> = named.iter().map(|name| name.as_ref().ok().and_then(MemberIdentifier::id)).collect();
    let set = async |session: Session| {
        let schema = memberbase::get(&session, scope).await?.attribute_schema;
        let refs = refs(&session, scope, &ids).await?;
        let mut failures = Failures::new();
        let mut rows = Vec::with_capacity(values.len());
        let mut steps = session.steps();
        for (index, (value, reference)) in values.iter().zip(refs).enumerate() {
            steps.step().await?;
            match (&named[index], reference) {
                (Ok(_), Some(reference)) => rows.push(Some(value.row(reference))),
                (Ok(name), None) => drop(failures.insert(index, name.not_found_error())),
                (Err(error), _) => drop(failures.insert(index, error.clone())),
            }
            rows.resize_with(index + 1, || None);
        }
        let rows: Vec<_> = rows.iter().map(Option::as_ref).collect();
        let members = Members::new(app, schema, true);
        let mut upserted = store(&session, scope, &members, &rows, failures, UPDATE).await.outcome?;
        let mut failures = mem::take(&mut upserted.failures);
        for error in failures.values_mut() {
            name_fields(error);
        }
        for (index, name) in named.iter().enumerate() {
            // Nothing kept a member from being deleted meanwhile, nor its ref from being another's now.
            if let Ok(name) = name
                && upserted.ids[index] != name.id()
            {
                failures.entry(index).or_insert_with(|| name.not_found_error());
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

/// The place of a failure among the fields of a [`NewValue`], where the row that it was made to says `attributes.KEY`.
fn name_fields(error: &mut RowError) {
    let field = match error.code {
        RowErrorCode::UnknownAttribute => "attributeKey",
        RowErrorCode::UnknownMember => return,
        _ if error.path.first().is_some_and(|field| field == "attributes") => "value",
        _ => return,
    };
    error.path = vec![field.to_owned()];
}

/// The refs of members; none where the memberbase has no such member.
async fn refs(session: &Session, scope: Scope, ids: &[Option<MemberId>]) -> Result<Vec<Option<String>>, Error> {
    let sql = "SELECT input.place, member.ref FROM {rows} AS input \
        CROSS JOIN member WHERE member.memberbase_id = $1 AND member.id = input.id";
    let (mut places, mut uuids) = (Vec::new(), Vec::new());
    for (place, id) in (0..).zip(ids) {
        if let Some(id) = id {
            places.push(place);
            uuids.push(id.uuid());
        }
    }
    let mut refs = vec![None; ids.len()];
    let take = |row: QueryResult| {
        let place: i64 = row.try_get_by_index(0)?;
        refs[usize::try_from(place).expect("places count from 0")] = Some(row.try_get_by_index(1)?);
        Ok(())
    };
    let rows = ArrayTable::new([("id", ArrayColumn::Uuids(uuids)), ("place", ArrayColumn::Ints(places))]);
    session.bulk_each(sql, &[ScalarBind::Uuid(scope.memberbase().uuid())], &rows, take).await?;
    Ok(refs)
}

/// Removes values in one transaction, and answers how many. Members that have none of them stay as they are.
pub async fn remove_attributes(app: &App, scope: Scope, removal: &Removal) -> Result<u64, Error> {
    let remove = async |session: Session| {
        let schema = memberbase::get(&session, scope).await?.attribute_schema;
        let keys = removal.keys(&schema)?;
        let (now, mut removed, mut changed) = (Time::now(), 0, Vec::new());
        let mut steps = session.steps();
        for part in removal.lock_candidates(&session, scope, &keys).await?.chunks(DOCUMENTS_PER_STATEMENT) {
            let mut changes = Vec::new();
            for (id, document) in documents(&session, scope, part).await? {
                steps.step().await?;
                let mut attributes = Attributes::read(Some(&document))?;
                let count = keys.iter().filter(|key| attributes.remove(key)).count();
                if count > 0 {
                    removed += count as u64;
                    changed.push(id);
                    changes.push((id, attributes.document()));
                }
            }
            write(&session, scope, &changes, now).await?;
        }
        Ok::<_, Error>((removed, changed))
    };
    let (removed, members) = app.db.write(Lock::Shared(scope.memberbase().uuid()), remove).await?;
    app.rows.add(RowKind::Member, RowOutcome::Updated, members.len() as u64);
    change::updated(app, scope, members.into_iter());
    Ok(removed)
}

/// How many documents are held at a time: each may be large, and there are as many as the memberbase has members.
const DOCUMENTS_PER_STATEMENT: usize = 2_000;

impl Removal {
    /// The keys, each once.
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

    /// The members who may lose something; on PostgreSQL they are locked, as all members in the order of refs.
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

/// The documents of those of these members who have one, with their ids.
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

/// Writes the documents of members, who change at this time.
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

/// A table `has` with one row for each attribute that `member` has a value for: its `key`.
pub(in crate::domain) fn attribute_keys(backend: DbBackend) -> &'static str {
    match backend {
        DbBackend::Sqlite => "json_each(member.attributes) AS has",
        _ => "LATERAL jsonb_object_keys(member.attributes) AS has (key)",
    }
}
