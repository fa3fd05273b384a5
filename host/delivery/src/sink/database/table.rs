//! The table that rows go into, as the database knows it at the moment.

use super::session::Session;
use super::trouble::Trouble;
use crate::redshift::CopyTerms;
use crate::redshift::copy_options::RowForm;
use crate::redshift::identifiers::{self, Identifier, TableName};
use crate::redshift::jdbc_url::Dialect;
use crate::sink::rows::Filling;

/// The schema and the name of a table, if there is one of that name.
const PLACE: &str = "\
    SELECT n.nspname::pg_catalog.text, c.relname::pg_catalog.text \
    FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
    WHERE c.oid = pg_catalog.to_regclass($1::pg_catalog.text)";
/// Its columns in order: the name, whether it holds text, whether it is the database that gives it
/// its values, and whether that takes them from a sequence where it is given none.
const COLUMNS: &str = "\
    SELECT a.attname::pg_catalog.text, t.typcategory = 'S', \
    a.attgenerated <> '' OR a.attidentity <> '', \
    COALESCE(pg_catalog.pg_get_expr(d.adbin, d.adrelid) LIKE 'nextval(%', false) \
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t ON t.oid = a.atttypid \
    LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum \
    WHERE a.attrelid = pg_catalog.to_regclass($1::pg_catalog.text) \
    AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/// Where rows go, and how they are made.
pub struct Table {
    /// Schema and name, as they may stand in a statement.
    pub quoted: String,
    /// The schema, in the same way.
    pub schema: String,
    /// The columns that are filled, between commas, in the same way.
    pub columns: String,
    /// How rows are made.
    pub filling: Filling,
}

struct Column {
    name: Identifier,
    holds_text: bool,
    is_given: bool,
    is_counted: bool,
}

impl Table {
    /// Finds the table and the columns that are to be filled: all but those that the database gives
    /// values by itself, unless it is said which.
    ///
    /// # Errors
    /// When there is none of them.
    pub async fn find(session: &Session, copy: &CopyTerms) -> Result<Self, Trouble> {
        let named = TableName::parse(&copy.table, Dialect::PostgreSql)?.quoted();
        let place = session.query(PLACE, &[&named]).await?;
        let Some(place) = place.first() else {
            let why = format!("relation {named} does not exist");
            return Err(Trouble::refused("42P01", &why));
        };
        let place = TableName {
            schema: Some(Identifier::known(place.try_get(0)?)),
            table: Identifier::known(place.try_get(1)?),
        };
        let quoted = place.quoted();
        let mut all = Vec::new();
        for row in session.query(COLUMNS, &[&quoted]).await? {
            all.push(Column {
                name: Identifier::known(row.try_get(0)?),
                holds_text: row.try_get(1)?,
                is_given: row.try_get(2)?,
                is_counted: row.try_get(3)?,
            });
        }
        let options = copy.options.as_deref().unwrap_or_default();
        let form = RowForm::parse(options)?;
        // A line has a field for it; an object that has none would say that there is no value.
        let is_counted = |column: &Column| column.is_counted && matches!(form, RowForm::Json);
        let is_filled = |column: &&Column| !column.is_given && !is_counted(column);
        let filled = match &copy.columns {
            None => all.iter().filter(is_filled).collect(),
            Some(names) => chosen(&all, names, &quoted)?,
        };
        let names: Vec<_> = filled.iter().map(|column| column.name.quoted()).collect();
        if names.is_empty() {
            let why = format!("{quoted} has no column that is filled");
            return Err(Trouble::refused("42703", &why));
        }
        Ok(Self {
            schema: place.schema.map_or_else(String::new, |it| it.quoted()),
            quoted,
            columns: names.join(", "),
            filling: match form {
                RowForm::Json => Filling::Objects,
                RowForm::Lines(lines) => Filling::Fields {
                    lines,
                    holds_text: filled.iter().map(|column| column.holds_text).collect(),
                },
            },
        })
    }
}

/// Those of the columns that are named, in that order.
fn chosen<'a>(all: &'a [Column], names: &str, table: &str) -> Result<Vec<&'a Column>, Trouble> {
    let mut chosen = Vec::new();
    for name in identifiers::columns(names, Dialect::PostgreSql)? {
        let Some(column) = all.iter().find(|column| column.name == name) else {
            let name = name.quoted();
            let why = format!("column {name} of {table} does not exist");
            return Err(Trouble::refused("42703", &why));
        };
        chosen.push(column);
    }
    Ok(chosen)
}
