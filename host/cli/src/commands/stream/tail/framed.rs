//! Records in one piece of memory, for what reads a stream and prints something else.

/// A record as it is framed: its arrival, and the lengths and bytes of its shard, sequence number,
/// partition key and data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Framed<'a> {
    pub(crate) arrival: u64,
    pub(crate) shard: &'a str,
    pub(crate) sequence_number: &'a str,
    pub(crate) partition_key: &'a str,
    pub(crate) data: &'a [u8],
}

impl Framed<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<(), String> {
        out.extend_from_slice(&self.arrival.to_le_bytes());
        let parts = [
            self.shard.as_bytes(),
            self.sequence_number.as_bytes(),
            self.partition_key.as_bytes(),
            self.data,
        ];
        for part in parts {
            let length = u32::try_from(part.len());
            let length = length.map_err(|_| "a record is longer than records are".to_owned())?;
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(part);
        }
        Ok(())
    }
}

/// Takes each record in its order.
pub(crate) fn each<'a>(
    mut records: &'a [u8],
    mut take: impl FnMut(Framed<'a>) -> Result<(), String>,
) -> Result<(), String> {
    while !records.is_empty() {
        let framed = next(&mut records).ok_or("records that are not whole")?;
        take(framed)?;
    }
    Ok(())
}

fn next<'a>(records: &mut &'a [u8]) -> Option<Framed<'a>> {
    let arrival = u64::from_le_bytes(*records.split_off(..8)?.first_chunk()?);
    let mut part = || {
        let length = u32::from_le_bytes(*records.split_off(..4)?.first_chunk()?);
        records.split_off(..usize::try_from(length).ok()?)
    };
    let shard = std::str::from_utf8(part()?).ok()?;
    let sequence_number = std::str::from_utf8(part()?).ok()?;
    let partition_key = std::str::from_utf8(part()?).ok()?;
    let data = part()?;
    // Lines end so.
    if records.split_off_first()? != &b'\n' {
        return None;
    }
    Some(Framed {
        arrival,
        shard,
        sequence_number,
        partition_key,
        data,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_as_they_were_written_whatever_bytes_they_have() {
        let records = [b"\n\0".as_slice(), b"", b"{\"a\": 1}"].map(|data| Framed {
            arrival: 1_700_000_000_123,
            shard: "shardId-000000000001",
            sequence_number: "49",
            partition_key: "\u{e4}\n",
            data,
        });
        let mut out = Vec::new();
        for record in &records {
            record.write(&mut out).unwrap();
            out.push(b'\n');
        }
        let mut read = Vec::new();
        each(&out, |record| {
            assert_eq!(record, records[read.len()]);
            read.push(record.data.to_vec());
            Ok(())
        })
        .unwrap();
        assert_eq!(read.len(), records.len());
        assert!(each(&out[..out.len() - 1], |_| Ok(())).is_err());
    }
}
