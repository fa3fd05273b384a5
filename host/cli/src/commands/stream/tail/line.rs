//! A record as a line.

use serde_json::json;

use crate::commands::stream::shapes::Record;

/// The data, and a line feed.
pub(super) fn raw(record: &Record) -> Result<Vec<u8>, String> {
    let mut line = data(record)?;
    line.push(b'\n');
    Ok(line)
}

/// An object on one line. Data that is not UTF-8 stays in base64, under another name.
pub(super) fn json(shard: &str, record: &Record) -> Result<Vec<u8>, String> {
    let mut object = json!({
        "shard": shard,
        "sequence_number": record.sequence_number,
        "arrival": record.approximate_arrival_timestamp,
        "partition_key": record.partition_key,
    });
    match String::from_utf8(data(record)?) {
        Ok(text) => object["data"] = text.into(),
        Err(_) => object["data_base64"] = record.data.clone().into(),
    }
    Ok(format!("{object}\n").into_bytes())
}

fn data(record: &Record) -> Result<Vec<u8>, String> {
    base64_simd::STANDARD
        .decode_to_vec(&record.data)
        .map_err(|_| "GetRecords: the data of a record is not base64".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(data: &str) -> Record {
        Record {
            sequence_number: "7".into(),
            partition_key: "k".into(),
            data: data.into(),
            approximate_arrival_timestamp: 1.5,
        }
    }

    #[test]
    fn data_is_printed_as_it_was_put() {
        assert_eq!(raw(&record("aGk=")).unwrap(), b"hi\n");
        assert!(raw(&record("!")).is_err());
    }

    #[test]
    fn an_object_holds_data_that_is_no_text_in_base64() {
        let text = json("s", &record("aGk=")).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&text).unwrap();
        assert_eq!(value["data"], "hi");
        assert_eq!(value["arrival"], 1.5);
        let bytes = json("s", &record("/w==")).unwrap();
        let value: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(value["data_base64"], "/w==");
        assert_eq!(value.get("data"), None);
    }
}
