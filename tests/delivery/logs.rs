//! What went wrong with a delivery stream lately, as its log has it.

use http::Method;
use serde_json::{Value, json};

use crate::endpoint::{Endpoint, NAME, Says};
use crate::plugin_files::PluginFiles;
use crate::through;

const LOGS: &str = "delivery-streams/calls/logs";

/// The code and the message of each line.
fn said(page: &Value) -> Vec<(Option<&str>, &str)> {
    let lines = page["lines"].as_array().unwrap().iter();
    let said = lines.map(|line| {
        let message = line["message"].as_str().unwrap();
        (line["errorCode"].as_str(), message)
    });
    said.collect()
}

#[tokio::test]
async fn what_an_endpoint_does_not_take_is_in_the_log_with_the_code_and_once_for_each_event() {
    let endpoint = Endpoint::saying(&[Says::Status(500), Says::Status(413)]).await;
    let (_service, client) = endpoint.server().await;
    endpoint.create(&client, json!({})).await;
    assert_eq!(said(&client.read_page(LOGS).await), []);
    client.put_delivery(NAME, &["one", "two"]).await;
    client.flush(NAME).await;
    let page = client.read_page(LOGS).await;
    let said = said(&page);
    let code = Some("HttpEndpoint.DestinationException");
    assert_eq!(said.len(), 3, "{page}");
    assert_eq!((said[0].0, said[1].0), (code, code));
    assert!(said[0].1.contains(". 500"), "{page}");
    assert!(said[1].1.contains(". 413"), "{page}");
    let failed = "2 of 2 records failed and are in the error output";
    assert_eq!(said[2], (None, failed));
    for (line, number) in page["lines"].as_array().unwrap().iter().zip(1..) {
        assert_eq!(line["number"], number);
        assert_eq!(line["atMs"], 1_700_000_000_000_u64);
        assert_eq!(line["lane"], "direct");
        assert_eq!(line["destination"], endpoint.url());
        assert_eq!(line["deliveryStreamVersionId"], 1);
    }
    client.put_delivery(NAME, &["three"]).await;
    client.flush(NAME).await;
    let again = client.read_page(LOGS).await;
    assert_eq!(again["lines"], page["lines"], "what is taken is no error");
}

#[tokio::test]
async fn a_log_is_read_on_from_where_one_was_and_begins_anew_with_a_restart() {
    let endpoint = Endpoint::saying(&[Says::Status(413)]).await;
    let (service, client) = endpoint.server().await;
    endpoint.create(&client, json!({})).await;
    client.put_delivery(NAME, &["one"]).await;
    client.flush(NAME).await;
    let page = client.read_page(LOGS).await;
    assert_eq!((&page["next"], &page["missed"]), (&json!(2), &json!(0)));
    let run = page["run"].as_str().unwrap();
    let rest = client.read_page(&format!("{LOGS}?after=1&run={run}")).await;
    assert_eq!(rest["lines"][0], page["lines"][1]);
    let other = client.read_page(&format!("{LOGS}?after=1&run=0-0-0")).await;
    assert_eq!(other["lines"], page["lines"]);
    let (status, refused) = client
        .send_page(Method::GET, &format!("{LOGS}?after=x"), Vec::new())
        .await;
    assert_eq!(
        (status, &refused["__type"]),
        (400, &json!("InvalidArgumentException"))
    );
    let (status, refused) = client
        .send_page(Method::GET, "delivery-streams/none/logs", Vec::new())
        .await;
    assert_eq!(
        (status, &refused["__type"]),
        (404, &json!("ResourceNotFoundException"))
    );
    let service = service.restart().await;
    let page = service.client().read_page(LOGS).await;
    assert_eq!(said(&page), []);
    assert_ne!(page["run"], run);
}

#[tokio::test]
async fn a_delivery_that_waits_for_its_plugin_says_so_once() {
    let files = PluginFiles::with(&["drop-bots"]);
    let service = files.start().await;
    let client = service.client();
    let more = json!({"ProcessingConfiguration": through("drop-bots")});
    client.create_delivery("calls", more).await;
    // What is gathered goes through the version that was there, once that is gone.
    client.put_delivery("calls", &["one"]).await;
    let is_gathered = |page: &Value| page["waitingBytes"] != 0;
    client.delivery_until("calls", is_gathered).await;
    files.remove("drop-bots");
    client
        .delivery_until("calls", |page| page["waitingRecords"] == 0)
        .await;
    client.put_delivery("calls", &["two"]).await;
    let has_some = |page: &Value| !said(page).is_empty();
    let page = client.page_until(LOGS, has_some).await;
    let [(None, why)] = said(&page)[..] else {
        panic!("{page}")
    };
    assert_eq!(why, "the plugin drop-bots is not there");
    let bucket = page["lines"][0]["destination"].as_str().unwrap();
    assert!(bucket.starts_with("arn:aws:s3:::"), "{page}");
}
