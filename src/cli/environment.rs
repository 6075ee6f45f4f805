//! Detects environment variables that look like settings and are not, because a typo in a name would be ignored
//! silently.

use clap::Command;

use crate::types::nearest;

const PREFIX: &str = "MEMBERBASE_";

/// Variable of `sync` and `export` that is not a setting: a token is never an argument, because any user of a machine
/// can see the arguments of its processes.
const TOKEN: &str = "TOKEN";

/// Returns the names of variables that have the prefix of settings and are not settings. Fails if one is similar to the
/// name of a setting. Others are permitted, because orchestrators set some of them: Kubernetes sets
/// `MEMBERBASE_SERVICE_HOST` and `MEMBERBASE_PORT` for a service called memberbase.
pub fn unknown_variables(command: &Command, variables: impl Iterator<Item = String>) -> Result<Vec<String>, String> {
    let mut known = vec![TOKEN.to_owned()];
    collect(command, &mut known);
    let mut unknown = Vec::new();
    for variable in variables {
        let Some(name) = variable.strip_prefix(PREFIX) else { continue };
        if known.iter().any(|known| known == name) {
            continue;
        }
        if let Some(near) = nearest(name, known.iter().map(String::as_str)) {
            return Err(format!("{variable} is no setting: is it {PREFIX}{near}?"));
        }
        unknown.push(variable);
    }
    unknown.sort_unstable();
    Ok(unknown)
}

fn collect(command: &Command, known: &mut Vec<String>) {
    let names = command.get_arguments().filter_map(|argument| argument.get_env()?.to_str()?.strip_prefix(PREFIX));
    known.extend(names.map(str::to_owned));
    for command in command.get_subcommands() {
        collect(command, known);
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;
    use crate::cli::Cli;

    fn unknown(names: &[&str]) -> Result<Vec<String>, String> {
        unknown_variables(&Cli::command(), names.iter().map(|name| (*name).to_owned()))
    }

    #[test]
    fn a_misspelt_name_is_rejected_with_the_nearest_setting() {
        for (name, near) in [
            ("MEMBERBASE_DATABSE_URL", "MEMBERBASE_DATABASE_URL"),
            ("MEMBERBASE_DATABASEURL", "MEMBERBASE_DATABASE_URL"),
            ("MEMBERBASE_LISTEM", "MEMBERBASE_LISTEN"),
            ("MEMBERBASE_TOKEN_FIEL", "MEMBERBASE_TOKEN_FILE"),
            ("MEMBERBASE_TOKENS", "MEMBERBASE_TOKEN"),
        ] {
            assert_eq!(unknown(&["PATH", name]), Err(format!("{name} is no setting: is it {near}?")));
        }
    }

    #[test]
    fn other_names_are_permitted() {
        let settings = ["MEMBERBASE_DATABASE_URL", "MEMBERBASE_TOKEN", "MEMBERBASE_LOG", "MEMBERBASE_URL"];
        assert_eq!(unknown(&settings), Ok(vec![]));
        let others = [
            "MEMBERBASE_PORT",
            "MEMBERBASE_PORT_8080_TCP",
            "MEMBERBASE_PORT_8080_TCP_ADDR",
            "MEMBERBASE_SERVICE_HOST",
            "MEMBERBASE_SERVICE_PORT",
            "MEMBERBASE_SERVICE_PORT_HTTP",
        ];
        assert_eq!(unknown(&others), Ok(others.map(str::to_owned).to_vec()));
    }
}
