//! Titles as staff keep them: what they are called and whose contact they bear.
//! They open by claiming and close with bonds.

use identity::rule::import_line::is_text;
use identity::{Asset, Decision, ProblemCode, Refusal, Version};
use serde::{Deserialize, Serialize};

use super::keep::{Outcome, Versioned, check_version, invalid, not_found, settle};
use crate::app::App;

/// What may change of a title.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AssetDraft {
    /// What its owner calls it.
    pub name: String,
    /// Where in the house.
    #[serde(default)]
    pub room: Option<String>,
    /// The contact's number at the customer system.
    #[serde(default)]
    pub contact_id: Option<String>,
}

impl App {
    /// Writes the words of a title anew, as the caller saw it at `version`.
    ///
    /// # Errors
    /// `invalid`, `not_found`, `version_mismatch`; `illegal_transition` when it
    /// is closed: history stays as it was.
    pub async fn replace_asset(&self, id: &str, version: Version, draft: &AssetDraft) -> Outcome<Versioned<Asset>> {
        let texts = [
            ("bad_name", Some(&draft.name)),
            ("bad_room", draft.room.as_ref()),
            ("bad_contact_id", draft.contact_id.as_ref()),
        ];
        for (reason, text) in texts {
            if text.is_some_and(|text| text.trim().is_empty() || !is_text(text)) {
                return Ok(Err(invalid(reason, "1 to 255 characters, none a control character")));
            }
        }
        let draw = self.draw();
        let now = draw.now();
        self.keep(&draw, || async move {
            let Some(known) = store::record::<Asset>(&*self.store, id).await? else {
                return Ok((Default::default(), Err(not_found("unknown_asset"))));
            };
            if let Err(refused) = check_version(known.version, Some(version)) {
                return Ok((Default::default(), Err(refused)));
            }
            if known.closed_at.is_some() {
                let refused = Refusal::new(ProblemCode::IllegalTransition, "closed_title");
                return Ok((Default::default(), Err(refused)));
            }
            let wanted = Asset {
                name: draft.name.clone(),
                room: draft.room.clone(),
                contact_id: draft.contact_id.clone(),
                ..known.record.clone()
            };
            let mut decision = Decision::reply(wanted.clone());
            if wanted != known.record {
                decision = decision.change(known.rewrite(wanted));
            }
            Ok(settle(decision, known.version, now))
        })
        .await
    }
}
