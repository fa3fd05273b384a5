//! DeleteApplication.

use serde_json::{Value, json};

use crate::ground::{Caller, Model, NAME, with_application};

/// Questions whether an application is gone, at most.
const QUESTIONS_MAX: usize = 10_000;

async fn deletion(caller: &Caller) -> Value {
    let created_at = caller.detail().await["CreateTimestamp"].clone();
    json!({"ApplicationName": NAME, "CreateTimestamp": created_at})
}

async fn until_gone(caller: &Caller) {
    let asked = json!({"ApplicationName": NAME});
    let describe = caller.model.operation("DescribeApplication");
    for _ in 0..QUESTIONS_MAX {
        let body = asked.to_string().into();
        let response = caller.client.send(&describe, body).await;
        if response.status() == 400 {
            return;
        }
    }
    panic!("the application does not go");
}

#[tokio::test]
async fn an_application_is_deleted_with_all_that_is_kept_of_it() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let deletion = deletion(&caller).await;
        let answer = caller.call("DeleteApplication", deletion.clone()).await;
        assert_eq!(answer, json!({}));
        until_gone(&caller).await;
        let code = caller.code("DeleteApplication", deletion).await;
        assert_eq!(code, "ResourceNotFoundException");
        // Another one of the name begins from the beginning.
        let creation = model.creation(NAME, (json!([]), json!([]), ""));
        caller.call("CreateApplication", creation).await;
        assert_eq!(caller.version().await, 1);
        service.stop().await;
    }
}

#[tokio::test]
async fn an_application_at_work_is_ended_first() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        caller.start().await;
        let deletion = deletion(&caller).await;
        caller.call("DeleteApplication", deletion).await;
        until_gone(&caller).await;
        service.stop().await;
    }
}

#[tokio::test]
async fn only_the_application_that_was_made_then_is_deleted() {
    for model in Model::BOTH {
        let (service, caller) = with_application(model).await;
        let mut other = deletion(&caller).await;
        other["CreateTimestamp"] = json!(1.5);
        let code = caller.code("DeleteApplication", other).await;
        assert_eq!(code, "ConcurrentModificationException");
        assert_eq!(caller.version().await, 1);
        service.stop().await;
    }
}
