//! COPY of the double: the manifest and what it names are fetched, and their lines become rows by
//! PostgreSQL's own COPY, or none does.

use std::io::Read;
use std::path::Path;

use bytes::Bytes;
use flate2::read::MultiGzDecoder;
use futures_util::SinkExt;
use serde_json::Value;

use super::statement::{Copy, Look};
use super::{DENIED_ROLE, Given, Refusal, Session};

impl Session {
    pub(super) async fn copies(&mut self, copy: &Copy) -> Result<Given, Refusal> {
        if copy.role.contains(DENIED_ROLE) {
            let why = format!(
                "User arn:aws:redshift:dbuser is not authorized to assume IAM Role {}",
                copy.role
            );
            return Err(Refusal::of("XX000", why));
        }
        let table = self
            .passes(&format!("SELECT * FROM {} LIMIT 0", copy.table))
            .await?;
        let columns = copy.columns.clone().unwrap_or_else(|| {
            let quoted = |name: &String| format!("\"{}\"", name.replace('"', "\"\""));
            table.columns.iter().map(quoted).collect()
        });
        let buckets = self.known.seen(|seen| seen.buckets.clone());
        let mut content = Vec::new();
        for object in objects(&buckets, copy)? {
            if copy.is_gzip {
                let unpacked = MultiGzDecoder::new(&object[..]).read_to_end(&mut content);
                if unpacked.is_err() {
                    return Err(self.load_failed(copy, ["0", "", "Unable to read gzip data"]));
                }
            } else {
                content.extend_from_slice(&object);
            }
        }
        let (lines, form) = match copy.look {
            Look::Json => match json_lines(&content, &columns) {
                Ok(lines) => (lines, String::new()),
                Err(why) => return Err(self.load_failed(copy, ["1", "", &why])),
            },
            Look::Csv => (content, "(FORMAT csv)".to_owned()),
            Look::Delimited(delimiter) => {
                (content, format!("(DELIMITER '{delimiter}', NULL '\\N')"))
            }
        };
        let statement = format!(
            "COPY {} ({}) FROM STDIN {form}",
            copy.table,
            columns.join(", ")
        );
        if let Err(error) = self.sends(&statement, lines).await {
            let refusal = Refusal::from(error);
            return Err(match refusal.code.get(..2) {
                Some("22" | "23") => self.load_failed(copy, ["1", "id", &refusal.message]),
                _ => refusal,
            });
        }
        Ok(Given {
            tag: "COPY".to_owned(),
            ..Given::default()
        })
    }

    async fn sends(&self, statement: &str, lines: Vec<u8>) -> Result<(), tokio_postgres::Error> {
        let sink = self.rows.client.copy_in(statement).await?;
        let mut sink = std::pin::pin!(sink);
        sink.send(Bytes::from(lines)).await?;
        sink.finish().await?;
        Ok(())
    }

    /// What Redshift says of data that it does not take, and where it says more.
    fn load_failed(&mut self, copy: &Copy, told: [&str; 3]) -> Refusal {
        self.load_error = Some(told.map(str::to_owned));
        let table = copy.table.replace('"', "");
        Refusal::of(
            "XX000",
            format!(
                "Load into table '{table}' failed.  Check 'stl_load_errors' system table for \
                 details."
            ),
        )
    }
}

/// What the objects of a manifest hold.
fn objects(buckets: &Path, copy: &Copy) -> Result<Vec<Vec<u8>>, Refusal> {
    let manifest = fetch(buckets, (&copy.bucket, &copy.key))?;
    let wrong = |what: &str| Refusal::of("XX000", format!("Invalid manifest file: {what}"));
    let manifest: Value = serde_json::from_slice(&manifest).map_err(|_| wrong("no JSON"))?;
    let entries = manifest["entries"].as_array();
    let entries = entries.ok_or_else(|| wrong("no entries"))?;
    let mut objects = Vec::new();
    for entry in entries {
        let url = entry["url"].as_str().ok_or_else(|| wrong("no url"))?;
        let place = url.strip_prefix("s3://").and_then(|it| it.split_once('/'));
        let object = fetch(buckets, place.ok_or_else(|| wrong("a url of no object"))?)?;
        if entry["mandatory"] != true || entry["meta"]["content_length"] != object.len() {
            return Err(wrong("an entry that is not what is there"));
        }
        objects.push(object);
    }
    if objects.is_empty() {
        return Err(wrong("no files"));
    }
    Ok(objects)
}

fn fetch(buckets: &Path, (bucket, key): (&str, &str)) -> Result<Vec<u8>, Refusal> {
    let read = std::fs::read(buckets.join(bucket).join(key));
    read.map_err(|_| {
        let why = "S3ServiceException:The specified key does not exist.,Status 404,Error NoSuchKey";
        Refusal::of("XX000", why)
    })
}

/// Objects of JSON one after the other, as lines of PostgreSQL's text format.
fn json_lines(content: &[u8], columns: &[String]) -> Result<Vec<u8>, String> {
    let mut lines = Vec::new();
    for object in serde_json::Deserializer::from_slice(content).into_iter::<Value>() {
        let object = object.map_err(|error| error.to_string())?;
        let members = object.as_object().ok_or("no object")?;
        let values = columns.iter().map(|column| {
            let name = column.trim_matches('"');
            match members.get(name) {
                None | Some(Value::Null) => "\\N".to_owned(),
                Some(Value::String(text)) => {
                    let text = text.replace('\\', "\\\\");
                    text.replace('\t', "\\t").replace('\n', "\\n")
                }
                Some(other) => other.to_string(),
            }
        });
        lines.extend_from_slice(values.collect::<Vec<_>>().join("\t").as_bytes());
        lines.push(b'\n');
    }
    Ok(lines)
}
