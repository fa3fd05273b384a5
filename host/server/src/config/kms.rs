//! The section of the configuration file about master keys.

use std::path::PathBuf;

use streams::kms::{KmsSettings, MasterKeySetting};
use types::AccountId;

use super::entry::{Entry, Wrong};

const KMS_KEYS: &str = "service_keys and keys";
const KEY_KEYS: &str = "id, aliases, file, account and enabled";
/// Characters of an id or an alias (KMS, CreateAlias).
const NAME_CHARS_MAX: usize = 256;
/// Master keys that can be named: each request to encrypt is compared with all.
const KEYS_MAX: usize = 1_000;
/// Aliases of one key that can be named, for the same reason.
const ALIASES_MAX: usize = 64;

/// `[kms]`.
pub(super) fn kms(section: &Entry<'_>) -> Result<KmsSettings, Wrong> {
    let mut settings = KmsSettings::default();
    for entry in section.entries("[kms]", KMS_KEYS)? {
        match entry.key {
            "service_keys" => settings.service_keys = Some(PathBuf::from(text(&entry)?)),
            "keys" => settings.keys = keys(&entry)?,
            _ => return Err(entry.unread()),
        }
    }
    Ok(settings)
}

fn text<'a>(entry: &Entry<'a>) -> Result<&'a str, Wrong> {
    match entry.string()? {
        "" => Err(entry.wrong("is empty")),
        text => Ok(text),
    }
}

fn keys(entry: &Entry<'_>) -> Result<Vec<MasterKeySetting>, Wrong> {
    let list = entry.list("[[kms.keys]]")?;
    if list.len() > KEYS_MAX {
        return Err(entry.wrong(&format!("names more than {KEYS_MAX} keys")));
    }
    let mut keys: Vec<MasterKeySetting> = Vec::with_capacity(list.len());
    for section in list {
        let new = key(&section)?;
        let is_named = |known: &MasterKeySetting| {
            known.id == new.id || known.aliases.iter().any(|a| new.aliases.contains(a))
        };
        if keys.iter().any(is_named) {
            let what = "has an id or an alias that an earlier [[kms.keys]] has, too";
            return Err(section.wrong(what));
        }
        keys.push(new);
    }
    Ok(keys)
}

fn key(section: &Entry<'_>) -> Result<MasterKeySetting, Wrong> {
    let (mut id, mut file, mut account) = (None, None, None);
    let (mut key_aliases, mut enabled) = (Vec::new(), true);
    for entry in section.entries("[[kms.keys]]", KEY_KEYS)? {
        match entry.key {
            "id" => id = Some(name(&entry, "")?.to_owned()),
            "aliases" => key_aliases = aliases(&entry)?,
            "file" => file = Some(PathBuf::from(text(&entry)?)),
            "account" => {
                let parsed = AccountId::parse(entry.string()?);
                account = Some(parsed.map_err(|_| entry.wrong("is not 12 digits in quotes"))?);
            }
            "enabled" => enabled = entry.boolean()?,
            _ => return Err(entry.unread()),
        }
    }
    let missing = |key: &str| section.wrong(&format!("has no {key}"));
    Ok(MasterKeySetting {
        id: id.ok_or_else(|| missing("id"))?,
        file: file.ok_or_else(|| missing("file"))?,
        aliases: key_aliases,
        account,
        enabled,
    })
}

fn aliases(entry: &Entry<'_>) -> Result<Vec<String>, Wrong> {
    let list = entry.list("aliases = [\"alias/orders\"]")?;
    if list.len() > ALIASES_MAX {
        return Err(entry.wrong(&format!("names more than {ALIASES_MAX} aliases")));
    }
    let mut aliases = Vec::with_capacity(list.len());
    for element in list {
        let alias = name(&element, "alias/")?;
        if alias.starts_with("alias/aws/") {
            return Err(element.wrong("has an alias of a service's own key"));
        }
        aliases.push(alias.to_owned());
    }
    Ok(aliases)
}

/// A name that begins so, of the characters that the key service takes.
fn name<'a>(entry: &Entry<'a>, prefix: &str) -> Result<&'a str, Wrong> {
    let text = entry.string()?;
    // Without its prefix it is no name, as an empty one is none.
    let own = text.strip_prefix(prefix).unwrap_or_default();
    let is_of_names = |byte: u8| byte.is_ascii_alphanumeric() || b"-_/".contains(&byte);
    let fits = (1..=NAME_CHARS_MAX).contains(&own.len()) && own.bytes().all(is_of_names);
    // An id with a slash would be taken for another kind of name.
    if fits && (!prefix.is_empty() || !own.contains('/')) {
        return Ok(text);
    }
    Err(entry.wrong(&format!(
        "is not '{prefix}' with 1 to {NAME_CHARS_MAX} letters, digits, '-' and '_' behind it"
    )))
}

#[cfg(test)]
mod tests {
    use toml::de::DeTable;

    use super::*;

    fn parse(text: &str) -> Result<KmsSettings, Wrong> {
        let root = DeTable::parse(text).unwrap();
        let entries = Entry::of_file(text, root.get_ref(), "[kms]")?;
        kms(&entries[0])
    }

    #[test]
    fn keys_are_read_with_their_names_files_and_states() {
        let settings = parse(
            "[kms]\nservice_keys = \"/keys\"\n\
             [[kms.keys]]\nid = \"1234-ab\"\nfile = \"a.key\"\n\
             aliases = [\"alias/orders\", \"alias/team/clicks\"]\naccount = \"000000000042\"\n\
             [[kms.keys]]\nid = \"b\"\nfile = \"b.key\"\nenabled = false\n",
        );
        let KmsSettings { keys, service_keys } = settings.unwrap();
        assert_eq!(service_keys, Some(PathBuf::from("/keys")));
        assert_eq!(keys[0].id, "1234-ab");
        assert_eq!(keys[0].aliases, ["alias/orders", "alias/team/clicks"]);
        assert_eq!(keys[0].account, AccountId::parse("000000000042").ok());
        assert!(keys[0].enabled && !keys[1].enabled);
        assert_eq!(keys[1].file, PathBuf::from("b.key"));
    }

    #[test]
    fn what_is_wrong_with_a_key_is_named() {
        let key = "[[kms.keys]]\nid = \"a\"\nfile = \"a.key\"\n";
        for (text, line, what) in [
            ("[kms]\nkey = 1".to_owned(), 2, "unknown key 'key' in [kms]"),
            ("[[kms.keys]]\nfile = \"a\"".to_owned(), 1, "has no id"),
            ("[[kms.keys]]\nid = \"a\"".to_owned(), 1, "has no file"),
            (format!("{key}{key}"), 4, "an earlier [[kms.keys]]"),
            (format!("{key}aliases = [\"orders\"]"), 4, "is not 'alias/'"),
            (format!("{key}aliases = [\"alias/\"]"), 4, "is not 'alias/'"),
            (
                format!("{key}aliases = [\"alias/aws/s3\"]"),
                4,
                "service's own",
            ),
            (format!("{key}enabled = 1"), 4, "is not true or false"),
            (format!("{key}account = 42"), 4, "'account' is not a string"),
            ("[[kms.keys]]\nid = \"a/b\"".to_owned(), 2, "'id' is not"),
            ("[[kms.keys]]\nid = \"a:b\"".to_owned(), 2, "'id' is not"),
        ] {
            let wrong = parse(&text).unwrap_err();
            assert_eq!(wrong.line, Some(line), "{text}: {}", wrong.what);
            assert!(wrong.what.contains(what), "{text}: {}", wrong.what);
        }
    }
}
