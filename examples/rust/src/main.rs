//! Upserts members, pages through all of them, and handles an error by its code.
//!
//!     MEMBERBASE_URL=http://127.0.0.1:8080 MEMBERBASE_TOKEN=... cargo run

mod client;
mod operations;

use std::error::Error;
use std::time::{SystemTime, UNIX_EPOCH};

use client::Client;
use operations::{
    CreateMemberbase, DeleteMemberbase, DeleteMembers, MembersPage, UpsertMembers, create_memberbase,
    delete_memberbase, delete_members, members_page, upsert_members,
};

fn main() -> Result<(), Box<dyn Error>> {
    let client = Client::from_env()?;
    let name = format!("rust {}", SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos());
    let created = client.request::<CreateMemberbase>(create_memberbase::Variables { name })?;
    let memberbase_id = created.create_memberbase.ok_or("nothing was created")?.memberbase.id;

    // Upsert: one outcome for each row. The empty ref is bad; SKIP_FAILED stores the others all the same.
    let mut refs: Vec<String> = (0..25).map(|number| format!("reader-{number}")).collect();
    let upserted = client.request::<UpsertMembers>(upsert_members::Variables {
        input: upsert_members::BulkUpsertMembersInput {
            sync_id: None,
            memberbase_id: memberbase_id.clone(),
            members: refs.iter().cloned().chain([String::new()]).map(row).collect(),
            on_error: upsert_members::OnRowError::SKIP_FAILED,
            mode: upsert_members::UpsertMode::UPSERT,
            dry_run: false,
        },
    })?;
    let upserted = upserted.bulk_upsert_members.ok_or("nothing was upserted")?;
    for row in &upserted.results {
        let what = match &row.error {
            Some(error) => format!("{:?}, {}", error.code, error.message),
            None => format!("{} is {}", row.ref_, row.member_id.as_deref().unwrap_or_default()),
        };
        println!("row {}: {:?} {what}", row.index, row.outcome);
    }
    assert_eq!(upserted.summary.created, 25);
    assert_eq!(upserted.summary.failed, 1);

    // Page through everything: each member once.
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let variables = members_page::Variables { memberbase_id: memberbase_id.clone(), after };
        let page = client.request::<MembersPage>(variables)?.members.ok_or("no members")?;
        seen.extend(page.nodes.into_iter().map(|member| member.ref_));
        if !page.page_info.has_next_page {
            break;
        }
        after = page.page_info.end_cursor;
    }
    println!("paged through {} members", seen.len());
    refs.sort();
    assert_eq!(seen, refs);

    // Handle an error by its code. The guard `at_most` keeps a wrong list from deleting too much.
    let guarded = client.request::<DeleteMembers>(delete_members::Variables {
        input: delete_members::DeleteMembersInput {
            memberbase_id: memberbase_id.clone(),
            refs,
            member_ids: Vec::new(),
            at_most: Some(1),
            dry_run: false,
        },
    });
    match guarded {
        Err(client::Error::Answered { code, .. }) if code == "LIMIT_EXCEEDED" => {
            println!("more members than expected would go: nothing was deleted");
        }
        Err(error) => return Err(error.into()),
        Ok(_) => panic!("at_most did not hold"),
    }

    let deleted = client.request::<DeleteMemberbase>(delete_memberbase::Variables { id: memberbase_id })?;
    let deleted = deleted.delete_memberbase.ok_or("nothing was deleted")?.deleted;
    println!("deleted the memberbase and its {} members", deleted.members);
    Ok(())
}

fn row(ref_: String) -> upsert_members::MemberInput {
    upsert_members::MemberInput { ref_, attributes: None, source_updated_at: Some("2026-01-31T12:00:00Z".into()) }
}
