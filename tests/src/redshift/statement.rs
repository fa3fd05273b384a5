//! The statements that the double takes, each in the form that Amazon's pages have. Whatever else
//! would be one of PostgreSQL's is refused as Redshift refuses what it does not know.

use super::Refusal;

/// Statements but for COPY, with `n` for a name in double quotes, `s` for a text and `0` for a
/// number.
const FORMS: [&str; 8] = [
    "SELECT pg_backend_pid ( )",
    "SET statement_timeout TO 0",
    "LOCK TABLE n . millrace_deliveries",
    "SELECT cut FROM n . millrace_deliveries WHERE cut < 0",
    "SELECT manifest FROM n . millrace_deliveries WHERE piece = s",
    "DELETE FROM n . millrace_deliveries WHERE lane = s AND cut < 0",
    "INSERT INTO n . millrace_deliveries ( piece , lane , cut , manifest , loaded_at ) VALUES ( s \
     , s , 0 , s , s )",
    "CREATE TABLE IF NOT EXISTS n . millrace_deliveries ( piece CHAR ( 0 ) NOT NULL , lane CHAR ( \
     0 ) NOT NULL , cut BIGINT NOT NULL , manifest VARCHAR ( 0 ) NOT NULL , loaded_at TIMESTAMP \
     NOT NULL )",
];
/// Why the data of the COPY before was refused.
const REASON: &str = "\
    SELECT line_number , TRIM ( colname ) , TRIM ( err_reason ) FROM stl_load_errors WHERE session \
    = 0 ORDER BY starttime DESC LIMIT 0";

/// One that is taken.
pub(super) enum Statement {
    Begin,
    Commit,
    Rollback,
    /// What was wrong with the data of the COPY before.
    Reason,
    Copy(Copy),
    /// What PostgreSQL does as Redshift does it.
    Other,
}

/// `COPY table [(columns)] FROM 's3://bucket/key' CREDENTIALS 'aws_iam_role=arn' MANIFEST options`
/// (Amazon Redshift, COPY).
pub(super) struct Copy {
    /// Between double quotes, maybe after its schema and a point.
    pub(super) table: String,
    /// The same of columns; `None`: all of the table.
    pub(super) columns: Option<Vec<String>>,
    /// Of the manifest.
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) role: String,
    pub(super) look: Look,
    pub(super) is_gzip: bool,
}

/// What lines look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Json,
    Csv,
    Delimited(char),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Word(String),
    Name(String),
    Text(String),
    Number(u64),
    Mark(char),
}

impl Statement {
    pub(super) fn parse(text: &str) -> Result<Self, Refusal> {
        let parts = parts(text)?;
        let form: Vec<_> = parts.iter().map(Part::form).collect();
        match &form.join(" ")[..] {
            "BEGIN" => Ok(Self::Begin),
            "COMMIT" => Ok(Self::Commit),
            "ROLLBACK" => Ok(Self::Rollback),
            REASON => Ok(Self::Reason),
            form if FORMS.contains(&form) => Ok(Self::Other),
            form if form.starts_with("COPY ") => Copy::parse(parts).map(Self::Copy),
            form => Err(syntax(form)),
        }
    }
}

impl Part {
    fn form(&self) -> String {
        match self {
            Self::Word(word) => word.clone(),
            Self::Name(_) => "n".to_owned(),
            Self::Text(_) => "s".to_owned(),
            Self::Number(_) => "0".to_owned(),
            Self::Mark(mark) => mark.to_string(),
        }
    }
}

fn syntax(at: impl std::fmt::Debug) -> Refusal {
    Refusal::of("42601", format!("syntax error at or near {at:?}"))
}

/// What a statement is made of. A backslash takes the meaning of what follows it in a text, as in
/// PostgreSQL 8.
fn parts(text: &str) -> Result<Vec<Part>, Refusal> {
    let mut parts = Vec::new();
    let mut rest = text.chars().peekable();
    while let Some(first) = rest.next() {
        let part = match first {
            ' ' => continue,
            '\'' | '"' => {
                let mut inner = String::new();
                loop {
                    match rest.next().ok_or_else(|| syntax("a quote"))? {
                        '\\' if first == '\'' => {
                            let escaped = rest.next().ok_or_else(|| syntax("a quote"))?;
                            inner.push(if escaped == 't' { '\t' } else { escaped });
                        }
                        it if it == first => {
                            if rest.next_if_eq(&first).is_none() {
                                break;
                            }
                            inner.push(it);
                        }
                        it => inner.push(it),
                    }
                }
                if first == '\'' {
                    Part::Text(inner)
                } else {
                    Part::Name(inner)
                }
            }
            it if it.is_ascii_alphanumeric() || it == '_' => {
                let mut word = String::from(it);
                while let Some(it) = rest.next_if(|it| it.is_ascii_alphanumeric() || *it == '_') {
                    word.push(it);
                }
                word.parse().map_or(Part::Word(word), Part::Number)
            }
            it if ".,()=<".contains(it) => Part::Mark(it),
            it => return Err(syntax(it)),
        };
        parts.push(part);
    }
    Ok(parts)
}

impl Copy {
    fn parse(parts: Vec<Part>) -> Result<Self, Refusal> {
        let mut rest = parts.into_iter().skip(1).peekable();
        let mut table = name(rest.next())?;
        if rest.next_if_eq(&Part::Mark('.')).is_some() {
            table = format!("{table}.{}", name(rest.next())?);
        }
        let mut columns = None;
        if rest.next_if_eq(&Part::Mark('(')).is_some() {
            let mut names = vec![name(rest.next())?];
            while rest.next_if_eq(&Part::Mark(',')).is_some() {
                names.push(name(rest.next())?);
            }
            expect(rest.next(), &Part::Mark(')'))?;
            columns = Some(names);
        }
        expect(rest.next(), &word("FROM"))?;
        let from = text_of(rest.next())?;
        expect(rest.next(), &word("CREDENTIALS"))?;
        let credentials = text_of(rest.next())?;
        expect(rest.next(), &word("MANIFEST"))?;
        let place = from.strip_prefix("s3://").and_then(|it| it.split_once('/'));
        let (bucket, key) = place.ok_or_else(|| syntax(&from))?;
        let role = credentials.strip_prefix("aws_iam_role=arn:aws:iam::");
        let mut copy = Self {
            table,
            columns,
            bucket: bucket.to_owned(),
            key: key.to_owned(),
            role: role.ok_or_else(|| syntax(&credentials))?.to_owned(),
            look: Look::Delimited('|'),
            is_gzip: false,
        };
        while let Some(option) = rest.next() {
            let Part::Word(option) = option else {
                return Err(syntax(option));
            };
            let mut value = || {
                rest.next_if_eq(&word("AS"));
                text_of(rest.next())
            };
            match &option[..] {
                "GZIP" => copy.is_gzip = true,
                "CSV" => copy.look = Look::Csv,
                "JSON" if value()? == "auto" => copy.look = Look::Json,
                "DELIMITER" => {
                    let delimiter = value()?.parse();
                    copy.look = Look::Delimited(delimiter.map_err(|_| syntax("DELIMITER"))?);
                }
                _ => return Err(syntax(option)),
            }
        }
        Ok(copy)
    }
}

fn word(text: &str) -> Part {
    Part::Word(text.to_owned())
}

fn expect(part: Option<Part>, wanted: &Part) -> Result<(), Refusal> {
    match part {
        Some(part) if part == *wanted => Ok(()),
        other => Err(syntax(other)),
    }
}

fn name(part: Option<Part>) -> Result<String, Refusal> {
    match part {
        Some(Part::Name(name)) => Ok(format!("\"{}\"", name.replace('"', "\"\""))),
        other => Err(syntax(other)),
    }
}

fn text_of(part: Option<Part>) -> Result<String, Refusal> {
    match part {
        Some(Part::Text(text)) => Ok(text),
        other => Err(syntax(other)),
    }
}
