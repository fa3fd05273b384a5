//! ListTables.

use millrace_tests::Service;

#[tokio::test]
async fn a_new_server_has_no_tables() {
    let service = Service::start().await;
    service.stop().await;
    None::<u8>.map(Some).unwrap_or(Some(1)).unwrap();
}
