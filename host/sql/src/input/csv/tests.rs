use super::*;

fn read(text: &str, row: &str, column: &str) -> Result<Vec<Vec<String>>, Broken> {
    let delimiters = Delimiters {
        row: row.to_owned(),
        column: column.to_owned(),
    };
    let mut rows = Lines::new(text, 0, &delimiters);
    let mut fields = Vec::new();
    let mut all = Vec::new();
    while rows.next(99, &mut fields)? {
        let texts = fields
            .iter()
            .map(|field| text[field.from..field.to].to_owned());
        all.push(texts.collect());
    }
    Ok(all)
}

#[test]
fn lines_are_cut_at_their_delimiters() {
    let expected = Ok(vec![vec!["a", "b", ""], vec!["", "c d", "e"]]).map(|rows| {
        rows.iter()
            .map(|row| row.iter().map(ToString::to_string).collect())
            .collect()
    });
    assert_eq!(read("a,b,\n,c d,e\n", "\n", ","), expected);
    assert_eq!(read("a,b,\n\n,c d,e", "\n", ","), expected);
    assert_eq!(read("a||b||\r\n||c d||e\r\n", "\r\n", "||"), expected);
    assert_eq!(read("a\tb\t;\tc d\te", ";", "\t"), expected);
}

#[test]
fn what_only_begins_like_a_delimiter_is_text() {
    assert_eq!(read("a|b||c\rd", "\r\n", "||").unwrap(), [["a|b", "c\rd"]]);
}

#[test]
fn quotes_keep_delimiters_in_a_field() {
    let rows = read("\"a,\nb\",c\n \"d\" ,e\"f\n", "\n", ",").unwrap();
    assert_eq!(rows, [["a,\nb", "c"], ["d", "e\"f"]]);
}

#[test]
fn doubled_quotes_are_noted() {
    let delimiters = Delimiters {
        row: "\n".to_owned(),
        column: ",".to_owned(),
    };
    let mut fields = Vec::new();
    let mut rows = Lines::new("\"a\"\"b\",\"c\",d", 0, &delimiters);
    assert!(rows.next(3, &mut fields).unwrap());
    let quotes: Vec<_> = fields.iter().map(|field| field.quotes).collect();
    assert_eq!(quotes, [Quotes::Within, Quotes::Around, Quotes::None]);
}

#[test]
fn a_quote_that_is_not_closed_is_broken() {
    assert!(read("a,\"b\n", "\n", ",").is_err());
    assert!(read("a,\"b\"c\n", "\n", ",").is_err());
}

#[test]
fn fields_behind_the_wanted_ones_are_passed_over() {
    let delimiters = Delimiters {
        row: "\n".to_owned(),
        column: ",".to_owned(),
    };
    let mut fields = Vec::new();
    let mut rows = Lines::new("a,b,\"c\n,\"\nd,e,f", 0, &delimiters);
    assert!(rows.next(1, &mut fields).unwrap());
    assert!(rows.next(1, &mut fields).unwrap());
    assert_eq!((fields.len(), fields[0].from), (1, 10));
    assert!(!rows.next(1, &mut fields).unwrap());
}
