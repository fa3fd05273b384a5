//! Names of inferred columns, by the rules of the guide's page on schema discovery (sch-dis).

use std::collections::HashSet;

/// Characters of a name, at most.
const NAME_CHARS_MAX: usize = 100;

/// Before the name of a column that could not keep its own.
const PREFIX: &str = "COL_";

/// Gives each column a name of its own.
#[derive(Default)]
pub struct Names {
    taken: HashSet<String>,
    given: usize,
}

impl Names {
    /// The name of the next column. `names` are those of the source, from the outside to the
    /// inside: the last one is taken, with those before it where it is taken already.
    pub fn give(&mut self, names: &[String]) -> String {
        let column = self.given;
        self.given += 1;
        for outermost in (0..names.len()).rev() {
            let name = allowed(&names[outermost..].join("_"), column);
            if self.taken.insert(name.clone()) {
                return name;
            }
        }
        // Names with a number behind them can be taken too, but not more of them than columns.
        let mut number = column;
        loop {
            let name = format!("{PREFIX}{number}");
            if self.taken.insert(name.clone()) {
                return name;
            }
            number += 1;
        }
    }
}

/// The name, or what can be kept of it behind the prefix.
fn allowed(name: &str, column: usize) -> String {
    let is_allowed = |c: &char| c.is_ascii_alphanumeric() || *c == '_';
    let kept: String = name
        .chars()
        .filter(is_allowed)
        .take(NAME_CHARS_MAX)
        .collect();
    if kept.is_empty() {
        return format!("{PREFIX}{column}");
    }
    let begins_well = !kept.starts_with(|c: char| c.is_ascii_digit());
    if kept == name && begins_well && !is_reserved(&kept) {
        return kept;
    }
    let room = NAME_CHARS_MAX - PREFIX.len();
    format!("{PREFIX}{}", kept.chars().take(room).collect::<String>())
}

fn is_reserved(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    RESERVED.split_ascii_whitespace().any(|word| word == name)
}

/// The reserved words of the dialect: those of SQL:2003, and what the SQL reference adds.
const RESERVED: &str = "
    ABS ALL ALLOCATE ALLOW ALTER ANALYZE AND ANY APPROXIMATE_ARRIVAL_TIME ARE ARRAY AS ASENSITIVE
    ASYMMETRIC AT ATOMIC AUTHORIZATION AVG BEGIN BETWEEN BIGINT BINARY BIT BLOB BOOLEAN BOTH BY CALL
    CALLED CARDINALITY CASCADED CASE CAST CEIL CEILING CHAR CHARACTER CHARACTER_LENGTH CHAR_LENGTH
    CHECK CHECKPOINT CLOB CLOSE CLUSTERED COALESCE COLLATE COLLECT COLUMN COMMIT CONDITION CONNECT
    CONSTRAINT CONVERT CORR CORRESPONDING COUNT COVAR_POP COVAR_SAMP CREATE CROSS CUBE CUME_DIST
    CURRENT CURRENT_CATALOG CURRENT_DATE CURRENT_DEFAULT_TRANSFORM_GROUP CURRENT_PATH CURRENT_ROLE
    CURRENT_SCHEMA CURRENT_TIME CURRENT_TIMESTAMP CURRENT_TRANSFORM_GROUP_FOR_TYPE CURRENT_USER
    CURSOR CYCLE DATE DAY DEALLOCATE DEC DECIMAL DECLARE DEFAULT DELETE DENSE_RANK DEREF DESCRIBE
    DETERMINISTIC DISALLOW DISCONNECT DISTINCT DOUBLE DROP DYNAMIC EACH ELEMENT ELSE END END-EXEC
    ESCAPE EVERY EXCEPT EXEC EXECUTE EXISTS EXP EXPLAIN EXP_AVG EXTERNAL EXTRACT FALSE FETCH FILTER
    FIRST_VALUE FLOAT FLOOR FOR FOREIGN FREE FROM FULL FUNCTION FUSION GET GLOBAL GRANT GROUP
    GROUPING HAVING HOLD HOUR IDENTITY IGNORE IMPORT IN INDICATOR INITCAP INNER INOUT INSENSITIVE
    INSERT INT INTEGER INTERSECT INTERSECTION INTERVAL INTO IS JOIN LANGUAGE LARGE LAST_VALUE
    LATERAL LEADING LEFT LIKE LIMIT LN LOCAL LOCALTIME LOCALTIMESTAMP LOWER MATCH MAX MEMBER MERGE
    METHOD MIN MINUTE MOD MODIFIES MODULE MONTH MULTISET NATIONAL NATURAL NCHAR NCLOB NEW NO NODE
    NONE NORMALIZE NOT NTH_VALUE NULL NULLIF NUMERIC OCTET_LENGTH OF OLD ON ONLY OPEN OR ORDER OUT
    OUTER OVER OVERLAPS OVERLAY PARAMETER PARTITION PARTITION_ID PARTITION_KEY PERCENTILE_CONT
    PERCENTILE_DISC PERCENT_RANK POSITION POWER PRECISION PREPARE PRIMARY PROCEDURE RANGE RANK READS
    REAL RECURSIVE REF REFERENCES REFERENCING REGR_AVGX REGR_AVGY REGR_COUNT REGR_INTERCEPT REGR_R2
    REGR_SLOPE REGR_SXX REGR_SXY RELEASE RESPECT RESULT RETURN RETURNS REVOKE RIGHT ROLLBACK ROLLUP
    ROW ROWS ROWTIME ROW_NUMBER SAVEPOINT SCOPE SCROLL SEARCH SECOND SELECT SENSITIVE
    SEQUENCE_NUMBER SESSION_USER SET SHARD_ID SIMILAR SMALLINT SOME SORT SPECIFIC SPECIFICTYPE SQL
    SQLEXCEPTION SQLSTATE SQLWARNING SQRT START STATIC STDDEV STDDEV_POP STDDEV_SAMP STEP STOP
    STREAM SUBMULTISET SUBSTRING SUM SYMMETRIC SYSTEM SYSTEM_USER TABLE TABLESAMPLE THEN TIME
    TIMESTAMP TIMEZONE_HOUR TIMEZONE_MINUTE TINYINT TO TRAILING TRANSLATE TRANSLATION TREAT TRIGGER
    TRIM TRUE TRUNCATE TSDIFF UESCAPE UNION UNIQUE UNKNOWN UNNEST UPDATE UPPER USER USING VALUE
    VALUES VARBINARY VARCHAR VARYING VAR_POP VAR_SAMP WHEN WHENEVER WHERE WIDTH_BUCKET WINDOW WITH
    WITHIN WITHOUT YEAR";

#[cfg(test)]
mod tests {
    use super::*;

    fn given(names: &[&[&str]]) -> Vec<String> {
        let mut given = Names::default();
        let owned = |name: &&[&str]| {
            name.iter()
                .map(|part| (*part).to_owned())
                .collect::<Vec<_>>()
        };
        names.iter().map(|name| given.give(&owned(name))).collect()
    }

    #[test]
    fn names_of_the_guide_are_given_as_there() {
        assert_eq!(given(&[&["@@"], &["USER"]]), ["COL_0", "COL_USER"]);
        assert_eq!(given(&[&["USER@DOMAIN"]]), ["COL_USERDOMAIN"]);
        let words = given(&[
            &["timestamp"],
            &["values"],
            &["year"],
            &["state"],
            &["units"],
        ]);
        assert_eq!(
            words,
            ["COL_timestamp", "COL_values", "COL_year", "state", "units"]
        );
    }

    #[test]
    fn a_name_begins_with_a_letter_and_is_not_too_long() {
        let long = "x".repeat(101);
        let names = given(&[&["2nd"], &[&long]]);
        assert_eq!(names[0], "COL_2nd");
        assert_eq!(names[1], format!("COL_{}", "x".repeat(96)));
    }

    #[test]
    fn two_columns_of_one_name_are_told_apart_by_where_they_lie() {
        let names = given(&[&["a", "id"], &["b", "id"], &["b", "id"], &["b", "id"]]);
        assert_eq!(names, ["id", "b_id", "COL_2", "COL_3"]);
    }
}
