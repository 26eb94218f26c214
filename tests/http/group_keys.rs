//! The key of a group whose datasets are encrypted: tried before it is kept, and never seen again.

use serde_json::{Value, json};

use super::protection_groups::{GROUPS, Scene};

const RIGHT: &str = "correct-horse";
const ANOTHER: &str = "battery-staple";

/// A group, and the address of its key.
async fn group(scene: &Scene) -> (String, String) {
    let made = scene.ask("POST", GROUPS, Some(scene.body("erp"))).await.expect(201).json();
    let group = format!("{GROUPS}/{}", made["id"].as_str().unwrap());
    let key = format!("{group}/key");
    (group, key)
}

fn on_source(scene: &Scene, command: &str) {
    let done = scene.running.1.run(command);
    assert_eq!(done.status, 0, "{command}: {}", done.stderr);
}

fn encrypt(scene: &Scene) -> String {
    let dataset = scene.dataset();
    let above = dataset.rsplit_once('/').unwrap().0;
    if above.contains('/') {
        on_source(scene, &format!("zfs create -p {above}"));
    }
    on_source(
        scene,
        &format!("printf {RIGHT} | zfs create -o encryption=on -o keyformat=passphrase {dataset}"),
    );
    dataset
}

fn key(text: &str) -> Option<Value> {
    Some(json!({ "key": text }))
}

async fn obstacles(scene: &Scene, group: &str) -> Vec<String> {
    let all = scene.ask("GET", &format!("{group}/obstacles"), None).await.expect(200).json();
    let kinds = all["items"].as_array().or(all.as_array()).unwrap().iter();
    kinds.map(|one| one["kind"].as_str().unwrap().to_owned()).filter(|kind| kind.starts_with("enc")).collect()
}

#[tokio::test]
async fn a_key_is_kept_once_the_appliance_took_it_and_is_never_shown() {
    let scene = Scene::new().await;
    let dataset = encrypt(&scene);
    let (group, place) = group(&scene).await;
    scene.ask("GET", &place, None).await.expect(404);
    assert_eq!(obstacles(&scene, &group).await, ["encryption"]);

    let wrong = scene.ask("PUT", &place, key(ANOTHER)).await.expect(422).json();
    assert!(wrong.to_string().contains(&format!("This is not the key of {dataset}")), "{wrong}");
    for no_key in ["short", "two\nlines of text", ""] {
        scene.ask("PUT", &place, key(no_key)).await.expect(422);
    }
    scene.ask("GET", &place, None).await.expect(404);

    let kept = scene.ask("PUT", &place, key(RIGHT)).await.expect(200).json();
    assert_eq!(kept["tried_on"], dataset.as_str());
    let shown = scene.ask("GET", &place, None).await.expect(200);
    assert_eq!(shown.json(), kept);
    assert_eq!(obstacles(&scene, &group).await, Vec::<String>::new());

    // A wrong one does not take its place.
    scene.ask("PUT", &place, key(ANOTHER)).await.expect(422);
    assert_eq!(scene.ask("GET", &place, None).await.expect(200).json(), kept);
    let again = scene.ask("PUT", &place, key(RIGHT)).await.expect(200).json();
    assert_eq!(again["tried_on"], dataset.as_str());

    let audit = scene.ask("GET", "/api/replication/audit?limit=200", None).await.expect(200);
    assert!(audit.text.contains("protection_group.set_key") && !audit.text.contains(RIGHT), "{}", audit.text);

    scene.ask("DELETE", &place, None).await.expect(204);
    scene.ask("DELETE", &place, None).await.expect(404);
    assert_eq!(obstacles(&scene, &group).await, ["encryption"]);

    // With a key it can be deleted all the same.
    scene.ask("PUT", &place, key(RIGHT)).await.expect(200);
    scene.ask("DELETE", &group, None).await.expect(200);
    scene.ask("GET", &place, None).await.expect(404);
}

#[tokio::test]
async fn what_is_not_encrypted_has_no_key_and_one_that_was_not_tried_says_so() {
    let scene = Scene::new().await;
    let dataset = scene.dataset();
    let (group, place) = group(&scene).await;
    // Neither appliance has the dataset: nothing to try it on.
    let kept = scene.ask("PUT", &place, key(RIGHT)).await.expect(200).json();
    assert_eq!((&kept["tried_on"], &kept["tried_at"]), (&Value::Null, &Value::Null));
    scene.ask("DELETE", &place, None).await.expect(204);

    on_source(&scene, &format!("zfs create -p {dataset}"));
    let refused = scene.ask("PUT", &place, key(RIGHT)).await.expect(422).json();
    assert!(refused.to_string().contains("is not encrypted"), "{refused}");
    assert_eq!(obstacles(&scene, &group).await, Vec::<String>::new());
}
