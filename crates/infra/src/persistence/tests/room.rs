//! A file that cannot grow.

use super::*;

/// More than fits into what is left of a page.
fn long(sender: SessionId) -> Draft {
    draft(sender, &"x".repeat(4_000))
}

/// It does not get smaller than it is.
async fn limit(store: &Store, pages: u32) {
    let limit = format!("PRAGMA max_page_count = {pages}");
    store.writer().execute_unprepared(&limit).await.expect("it is limited");
}

/// SQLite has taken the transaction back by itself then, which leaves its driver with a wrong idea of the connection: what
/// followed would be told to be committed, and would not be.
#[tokio::test]
async fn what_is_acknowledged_after_a_failed_transaction_is_committed() {
    let (store, _folder) = sqlite().await;
    let (ann, over) = (join(&store, "Ann").await, join(&store, "Bob").await);
    store.end(over, Authority::Name, Timestamp::from_millis(1)).await.expect("it ends");
    limit(&store, 1).await;
    while append(&store, long(ann)).await.is_ok() {}
    limit(&store, 1_000_000).await;
    let before = stored(&store).await.len();

    for n in 1..=3 {
        // Nothing comes of it, so it is rolled back.
        let refused = store.append(&[draft(over, "late")], Timestamp::from_millis(1)).await;
        assert_eq!(refused.expect("an answer"), [Err(Rejection::Silenced)]);
        append(&store, long(ann)).await.expect("there is room");
        assert_eq!(stored(&store).await.len(), before + n, "others see it");
    }
}
