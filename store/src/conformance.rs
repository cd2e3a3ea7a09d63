//! The suite every store must pass: one function per sentence, each given a
//! fresh store. [`conformance_tests!`](crate::conformance_tests) makes one test
//! of each.
//!
//! Owns the cases and their sample records. Compiled for tests alone.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "the cases are tests: their names say what they prove, and a broken store is told by a panic"
)]

pub mod commits;
pub mod empty;
pub mod feed;
pub mod lists;
pub mod loads;
pub mod model;
pub mod raises;
pub mod sample;
pub mod unique;
pub mod whole;

pub use crate::kinds::KINDS;

/// Of the tenant every case is given, seconds.
pub const MAX_TOKEN_LIFE: i64 = 86_400;

/// Makes one `#[tokio::test]` of every case. `$open` is an async function that
/// answers a fresh, empty store as `Arc<dyn Store>` with whatever must live as
/// long as it (a folder, a database), with
/// [`MAX_TOKEN_LIFE`](crate::conformance::MAX_TOKEN_LIFE).
#[macro_export]
macro_rules! conformance_tests {
    ($open:path) => {
        $crate::conformance_tests! {
            $open;
            commits {
                a_record_comes_back_as_it_was_written,
                every_kind_of_record_is_kept,
                a_write_counts_the_version_up_and_leaves_the_epochs,
                a_write_of_another_version_is_a_conflict,
                touching_counts_up_and_erasing_removes,
                a_raise_or_touch_beside_a_write_of_the_same_record_is_no_conflict,
                a_guard_on_what_was_only_read_holds_or_stops_everything,
                a_guard_fails_after_a_raise,
                short_lived_records_are_guarded_too,
                a_later_change_that_fails_undoes_the_earlier_ones,
                of_two_who_redeem_one_code_one_wins,
                of_two_owners_who_remove_each_other_one_stays,
                of_two_who_rely_on_what_the_other_ends_one_stays,
                many_writers_of_one_record_lose_no_write,
                of_fifty_who_use_a_key_at_once_one_may,
                a_key_taken_in_a_step_of_its_own_is_taken_for_all,
                a_reply_is_kept_once_and_found_again_until_it_expires,
                what_breaks_the_contract_is_refused_and_nothing_of_it_stays,
            }
            empty {
                every_question_has_an_answer,
            }
            feed {
                events_come_in_order_each_once_with_numbers_without_gaps,
                a_commit_answers_the_cursor_of_its_last_event,
                a_commit_that_fails_announces_nothing,
                the_last_event_tells_all_that_was_raised,
                a_page_ends_where_the_next_begins,
                a_filtered_page_leads_past_what_did_not_match,
                a_cursor_skips_nothing_while_others_write,
                events_of_one_record_come_in_the_order_of_its_epochs,
                a_commit_wakes_those_who_wait_and_no_sooner,
                a_round_tells_what_was_raised_behind_a_place,
                a_commit_makes_a_round_due_where_rounds_give_numbers,
            }
            lists {
                a_condition_compares_by_type,
                wildcards_and_quotes_are_plain_characters,
                a_field_that_is_no_dotted_path_of_names_is_refused,
                and_or_and_not_mean_what_they_say,
                pages_follow_each_other_without_gap_or_repetition,
                the_last_page_has_no_next,
                an_unknown_kind_is_refused,
            }
            loads {
                a_device_is_found_by_any_of_its_names,
                a_serial_number_alone_finds_the_only_one,
                call_home_finds_by_key_or_by_certificate,
                import_answers_line_by_line,
                a_person_comes_with_household_passkeys_and_sign_ins,
                a_mailed_secret_comes_with_its_person_and_whether_there_is_staff,
                a_security_page_shows_what_still_works,
                a_persons_things_are_their_households_and_what_was_lent_to_them,
                a_bond_comes_with_all_that_its_end_touches,
                a_caller_is_a_client_or_a_device,
                authorizing_sees_the_living_consent,
                a_code_comes_with_what_its_tokens_hang_from,
                a_refresh_comes_with_the_chain_as_it_is_now,
                a_pairing_comes_with_device_owner_and_family,
                a_registration_sees_the_device_by_all_it_is_called,
                a_renewal_sees_the_title_with_all_who_hold_it,
                a_trade_sees_what_the_token_hangs_from,
            }
            model {
                random_commits_do_what_an_obvious_model_does,
            }
            raises {
                a_cut_leaves_grants_and_an_end_does_not,
                epochs_and_time_grow_also_when_clocks_stand_still_or_go_back,
                every_kind_of_anchor_can_be_raised_and_read,
                a_missing_record_is_dead_and_cannot_be_raised,
                a_token_is_alive_until_it_is_raised_and_a_tenant_by_its_generation,
                raises_are_kept_for_two_windows_and_then_move_the_horizon,
                neither_time_nor_horizon_ever_goes_back,
                a_raised_again_anchor_is_kept_by_its_newest_raise,
                a_raised_token_is_remembered_past_its_last_renewal,
                a_long_dead_token_that_is_raised_late_moves_no_horizon_yet,
                used_keys_are_remembered_until_their_time,
                dead_short_lived_records_go_and_living_ones_stay,
                a_spent_code_is_remembered_while_its_family_lives,
                a_login_is_remembered_while_a_family_that_began_in_it_lives,
            }
            unique {
                one_name_per_model,
                one_serial_number_per_model,
                one_device_per_mac_and_per_name_of_its_maker,
                of_many_new_records_one_that_is_taken_stops_all,
                a_taken_name_cannot_be_changed_to_either,
                one_device_per_key_and_certificate,
                one_open_title_per_device,
                one_person_per_address_and_one_passkey_per_credential,
                one_session_per_cookie,
                one_live_consent_per_person_and_client,
                one_live_pairing_per_user_code,
                one_trust_anchor_per_product_and_one_account_per_number,
            }
            whole {
                what_is_filled_in_is_there_and_is_read_out_again,
                only_a_store_in_which_nothing_is_is_filled,
                a_filling_that_fails_leaves_nothing_and_may_be_tried_again,
                a_dispensable_record_gives_way_to_who_has_its_name,
                reading_out_sees_one_moment_while_others_write,
            }
        }
    };
    ($open:path; $($part:ident { $($case:ident,)* })*) => {
        $(mod $part {
            $(#[tokio::test]
            async fn $case() {
                let (store, _kept) = $open().await;
                $crate::conformance::$part::$case(store).await;
            })*
        })*
    };
}
