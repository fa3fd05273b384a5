//! An OpenSearch or Elasticsearch cluster as a destination, as it is configured. It is kept as the
//! client gave it.

use bincode::{Decode, Encode};
use types::{Invalid, Timestamp};

use crate::fallback::Fallback;
use crate::zone::{Clocks, Local, Zone};

/// How long is tried again where nobody says (model, AmazonopensearchserviceRetryOptions).
pub const RETRY_SECONDS_DEFAULT: u32 = 300;

/// Where documents go, and what is done about those that are not taken.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Search {
    /// By which of the model's names it is configured.
    pub product: Product,
    /// Where the cluster is (`ClusterEndpoint`). The path of what is asked for is added to it.
    pub url: String,
    /// Which index documents go into.
    pub index: Index,
    /// Whether documents have ids that are the same in every try.
    pub gives_ids: bool,
    /// What is done about what is not taken.
    pub fallback: Fallback,
}

/// `Elasticsearch...` or `Amazonopensearchservice...`: AWS's words differ, and nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Product {
    /// Elasticsearch.
    Elasticsearch,
    /// OpenSearch.
    OpenSearch,
}

/// The index of a document.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Index {
    /// What its name begins with.
    pub name: String,
    /// The type of documents, where the cluster has types; empty where it has none.
    pub type_name: String,
    /// What its name ends with.
    pub rotation: Rotation,
}

/// `IndexRotationPeriod`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Rotation {
    /// Nothing.
    None,
    /// The hour in which the record arrived, in UTC.
    Hour,
    /// Its day.
    Day,
    /// Its week: it ends on a Saturday, and is the first of a year that has the first Saturday.
    Week,
    /// Its month.
    Month,
}

impl Product {
    /// Its name in a sentence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Elasticsearch => "Elasticsearch",
            Self::OpenSearch => "OpenSearch Service",
        }
    }
}

impl Search {
    /// A cluster before anything is said of it. It has no URL and no index.
    pub fn blank(product: Product) -> Self {
        Self {
            product,
            url: String::new(),
            index: Index {
                name: String::new(),
                type_name: String::new(),
                rotation: Rotation::Day,
            },
            gives_ids: true,
            fallback: Fallback::after(RETRY_SECONDS_DEFAULT),
        }
    }
}

impl Rotation {
    /// Reads the model's word.
    pub fn parse(word: &str) -> Option<Self> {
        let all = [Self::None, Self::Hour, Self::Day, Self::Week, Self::Month];
        all.into_iter().find(|it| it.as_str() == word)
    }

    /// The model's word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "NoRotation",
            Self::Hour => "OneHour",
            Self::Day => "OneDay",
            Self::Week => "OneWeek",
            Self::Month => "OneMonth",
        }
    }
}

impl Rotation {
    /// Bytes that it adds to the name of an index.
    pub fn suffix_bytes(self) -> usize {
        let suffix = match self {
            Self::None => "",
            Self::Hour => "-yyyy-MM-dd-HH",
            Self::Day => "-yyyy-MM-dd",
            Self::Week => "-yyyy-wNN",
            Self::Month => "-yyyy-MM",
        };
        suffix.len()
    }
}

impl Index {
    /// Its name for a record that arrived then (developer guide, "Index rotation for the OpenSearch
    /// Service destination").
    ///
    /// # Errors
    /// When the calendar ends before that.
    pub fn at(&self, arrival: Timestamp) -> Result<String, Invalid> {
        let name = &self.name;
        if self.rotation == Rotation::None {
            return Ok(name.clone());
        }
        let Local {
            time, end_of_week, ..
        } = Zone::utc().local(arrival, Clocks::UTC)?;
        Ok(match self.rotation {
            Rotation::None => name.clone(),
            Rotation::Hour => format!("{name}-{}", time.format("%Y-%m-%d-%H")),
            Rotation::Day => format!("{name}-{}", time.format("%Y-%m-%d")),
            // The first Saturday of a year is one of its first seven days.
            Rotation::Week => {
                let week = chrono::Datelike::ordinal0(&end_of_week) / 7 + 1;
                format!("{name}-{}-w{week:02}", end_of_week.format("%Y"))
            }
            Rotation::Month => format!("{name}-{}", time.format("%Y-%m")),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(rotation: Rotation, at: u64) -> String {
        let index = Index {
            name: "logs".to_owned(),
            type_name: String::new(),
            rotation,
        };
        index.at(Timestamp(at)).unwrap()
    }

    #[test]
    fn an_index_is_named_by_the_time_at_which_a_record_arrived() {
        // 2018-08-27T10:30:05Z, a Monday.
        let at = 1_535_365_805_678;
        for (rotation, name) in [
            (Rotation::None, "logs"),
            (Rotation::Hour, "logs-2018-08-27-10"),
            (Rotation::Day, "logs-2018-08-27"),
            (Rotation::Week, "logs-2018-w35"),
            (Rotation::Month, "logs-2018-08"),
        ] {
            assert_eq!(index(rotation, at), name);
            assert_eq!("logs".len() + rotation.suffix_bytes(), name.len());
            assert_eq!(Rotation::parse(rotation.as_str()), Some(rotation));
        }
        assert_eq!(Rotation::parse("OneYear"), None);
    }

    #[test]
    fn a_week_is_that_of_its_saturday() {
        for (date, name) in [
            // AWS's own example is a week of August 2020.
            ("2020-08-10", "logs-2020-w33"),
            // A Saturday, the Sunday after it, and the last days of a year.
            ("2022-01-01", "logs-2022-w01"),
            ("2022-01-02", "logs-2022-w02"),
            ("2021-12-26", "logs-2022-w01"),
            ("2021-12-25", "logs-2021-w52"),
            ("2023-01-01", "logs-2023-w01"),
            ("2024-12-29", "logs-2025-w01"),
            ("2016-12-31", "logs-2016-w53"),
        ] {
            let day: chrono::NaiveDate = date.parse().unwrap();
            let at = day.and_hms_opt(12, 0, 0).unwrap().and_utc();
            let at = u64::try_from(at.timestamp_millis()).unwrap();
            assert_eq!(index(Rotation::Week, at), name, "{date}");
        }
    }
}
