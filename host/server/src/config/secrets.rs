//! The section of the configuration file about secrets of destinations.

use std::path::PathBuf;

use delivery::{ManagedSecretName, SecretSetting};
use types::AccountId;

use super::entry::{Entry, Wrong};

const KEYS: &str = "name, account and file";
/// Secrets that can be named: all are read into memory by name.
const SECRETS_MAX: usize = 1_000;

/// `[[secrets]]`. The files are read when they are needed.
pub(super) fn secrets(entry: &Entry<'_>) -> Result<Vec<SecretSetting>, Wrong> {
    let list = entry.list("[[secrets]]")?;
    if list.len() > SECRETS_MAX {
        return Err(entry.wrong(&format!("names more than {SECRETS_MAX} secrets")));
    }
    let mut secrets: Vec<SecretSetting> = Vec::with_capacity(list.len());
    for section in list {
        let new = secret(&section)?;
        let is_it = |it: &SecretSetting| (it.account, &it.name) == (new.account, &new.name);
        if secrets.iter().any(is_it) {
            let what = "has a name that an earlier [[secrets]] of its account has, too";
            return Err(section.wrong(what));
        }
        secrets.push(new);
    }
    Ok(secrets)
}

fn secret(section: &Entry<'_>) -> Result<SecretSetting, Wrong> {
    let (mut name, mut account, mut file) = (None, None, None);
    for entry in section.entries("[[secrets]]", KEYS)? {
        match entry.key {
            "name" => {
                let parsed = ManagedSecretName::parse(entry.string()?);
                name = Some(parsed.map_err(|_| entry.wrong("is no secret's name"))?);
            }
            "account" => {
                let parsed = AccountId::parse(entry.string()?);
                account = Some(parsed.map_err(|_| entry.wrong("is not 12 digits in quotes"))?);
            }
            "file" => match entry.string()? {
                "" => return Err(entry.wrong("is empty")),
                text => file = Some(PathBuf::from(text)),
            },
            _ => return Err(entry.unread()),
        }
    }
    let missing = |key: &str| section.wrong(&format!("has no {key}"));
    Ok(SecretSetting {
        name: name.ok_or_else(|| missing("name"))?,
        account: account.ok_or_else(|| missing("account"))?,
        file: file.ok_or_else(|| missing("file"))?,
    })
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn parse(text: &str) -> Result<Vec<SecretSetting>, Wrong> {
        let root = DeTable::parse(text).unwrap();
        let entries = Entry::of_file(text, root.get_ref(), "[[secrets]]")?;
        secrets(&entries[0])
    }

    const ONE: &str = "[[secrets]]\nname = \"web/key\"\naccount = \"000000000042\"\n\
                       file = \"/etc/key\"\n";

    #[test]
    fn secrets_are_read_with_their_names_accounts_and_files() {
        let other = ONE.replace("42", "43");
        let secrets = parse(&format!("{ONE}{other}")).unwrap();
        assert_eq!(secrets.len(), 2);
        assert_eq!(secrets[0].name.to_string(), "web/key");
        assert_eq!(secrets[0].account.to_string(), "000000000042");
        assert_eq!(secrets[0].file, PathBuf::from("/etc/key"));
    }

    #[test]
    fn what_is_wrong_with_a_secret_is_named() {
        for (text, line, what) in [
            (format!("{ONE}{ONE}"), 5, "an earlier [[secrets]]"),
            (ONE.replace("web/key", "web key"), 2, "is no secret's name"),
            (ONE.replace("\"000000000042\"", "42"), 3, "is not a string"),
            (ONE.replace("0000042", "42"), 3, "is not 12 digits"),
            (ONE.replace("/etc/key", ""), 4, "is empty"),
            (ONE.replace("name", "names"), 2, "unknown key 'names'"),
            (ONE.replace("name = \"web/key\"\n", ""), 1, "has no name"),
            ("[[secrets]]\nname = \"a\"".to_owned(), 1, "has no account"),
        ] {
            let wrong = parse(&text).unwrap_err();
            assert_eq!(wrong.line, Some(line), "{text}: {}", wrong.what);
            assert!(wrong.what.contains(what), "{text}: {}", wrong.what);
        }
    }
}
