//! The check of the check: with any one rule of the contract switched off, some
//! history breaks, which holds with all rules on.

use crate::door::Stated;
use crate::histories::counterexample;
use crate::rules::{Rule, Rules};
use crate::world::Seen;

#[track_caller]
fn breaks_without(rule: Rule) {
    let found = counterexample::<Stated>(Rules::without(rule), 1..20_000, &mut Seen::default());
    let (seed, history, why) = found.expect("no history breaks without it");
    println!("seed {seed}: {why}\n{history:?}");
    let whole = history.live::<Stated>(Rules::ALL, &mut Seen::default());
    assert_eq!(whole, Ok(()), "it breaks with all rules on as well");
}

#[test]
fn the_horizon_is_not_checked() {
    breaks_without(Rule::HorizonRefuses);
}

#[test]
fn the_horizon_has_no_margin() {
    breaks_without(Rule::HorizonHasAMargin);
}

#[test]
fn what_is_ahead_of_all_clocks_passes() {
    breaks_without(Rule::AheadIsRefused);
}

#[test]
fn clocks_may_not_differ() {
    breaks_without(Rule::ClocksMayDiffer);
}

#[test]
fn a_lower_epoch_lives() {
    breaks_without(Rule::LowerEpochIsDead);
}

#[test]
fn an_equal_epoch_is_dead() {
    breaks_without(Rule::EqualEpochLives);
}

#[test]
fn a_token_without_anchors_passes() {
    breaks_without(Rule::AnchorsAreDemanded);
}

#[test]
fn the_generation_is_ignored() {
    breaks_without(Rule::GenerationIsChecked);
}

#[test]
fn the_own_id_is_not_checked() {
    breaks_without(Rule::OwnIdIsChecked);
}

#[test]
fn a_hit_of_the_cache_is_not_checked_again() {
    breaks_without(Rule::HitsAreCheckedAgain);
}

#[test]
fn times_are_not_checked() {
    breaks_without(Rule::TimesAreChecked);
}

#[test]
fn the_last_raise_told_wins() {
    breaks_without(Rule::GreaterEpochWins);
}

#[test]
fn a_rebuild_replaces() {
    breaks_without(Rule::RebuildMerges);
}

#[test]
fn a_new_generation_merges() {
    breaks_without(Rule::NewGenerationReplaces);
}

#[test]
fn an_unnumbered_raise_is_dropped() {
    breaks_without(Rule::UnnumberedIsNeverDropped);
}

#[test]
fn a_newer_raise_inherits_an_older_number() {
    breaks_without(Rule::NewerRaiseTakesItsOwnNumber);
}

#[test]
fn dropping_moves_no_horizon() {
    breaks_without(Rule::DroppingMovesTheHorizon);
}

#[test]
fn the_stores_horizon_is_not_learnt() {
    breaks_without(Rule::StoresHorizonIsLearnt);
}

#[test]
fn two_raises_of_one_second_share_an_epoch() {
    breaks_without(Rule::EpochGrowsInOneSecond);
}

#[test]
fn the_stores_time_goes_back() {
    breaks_without(Rule::TimeNeverGoesBack);
}

#[test]
fn the_stores_time_stands_still() {
    breaks_without(Rule::TimeIsAdvanced);
}

#[test]
fn the_table_keeps_less_than_tokens_live() {
    breaks_without(Rule::TableKeepsTwoWindows);
}

#[test]
fn the_table_drops_without_a_horizon() {
    breaks_without(Rule::TableMovesTheHorizon);
}

#[test]
fn the_row_of_a_token_goes_like_any_other() {
    breaks_without(Rule::RowOfATokenOutlastsRenewal);
}

#[test]
fn the_row_of_a_token_goes_with_its_last_renewal() {
    breaks_without(Rule::RowOfATokenStaysTwoMinutesMore);
}

#[test]
fn numbers_are_given_before_the_commit() {
    breaks_without(Rule::NumbersFollowCommits);
}

#[test]
fn an_end_is_a_cut() {
    breaks_without(Rule::EndRaisesBoth);
}

#[test]
fn a_cut_is_an_end() {
    breaks_without(Rule::CutSparesGrants);
}

#[test]
fn an_ended_grant_yields() {
    breaks_without(Rule::EndedGrantIsDead);
}

#[test]
fn a_missing_record_is_alive() {
    breaks_without(Rule::MissingIsDead);
}

#[test]
fn a_start_reads_numbered_raises_alone() {
    breaks_without(Rule::StartReadsUnnumbered);
}

#[test]
fn a_start_reads_two_moments() {
    breaks_without(Rule::StartIsOneSnapshot);
}

#[test]
fn the_answer_comes_before_the_own_index() {
    breaks_without(Rule::OwnIndexBeforeReply);
}

#[test]
fn the_time_is_drawn_at_the_end() {
    breaks_without(Rule::NowIsDrawnFirst);
}

#[test]
fn epochs_are_read_at_the_end() {
    breaks_without(Rule::EpochsOfTheLoad);
}

#[test]
fn a_node_with_a_far_clock_issues() {
    breaks_without(Rule::FarClocksIssueNothing);
}

#[test]
fn an_exchange_asks_its_index() {
    breaks_without(Rule::ExchangeAsksTheStore);
}

#[test]
fn a_trade_inherits_nothing() {
    breaks_without(Rule::InputsAreInherited);
}

#[test]
fn a_connection_is_checked_then_registered() {
    breaks_without(Rule::RegisteredThenChecked);
}

#[test]
fn connections_are_looked_up_before_the_index() {
    breaks_without(Rule::IndexThenConnections);
}

#[test]
fn freshness_counts_from_the_end_of_a_round() {
    breaks_without(Rule::FreshnessIsOfTheStart);
}

#[test]
fn a_stale_door_lets_the_unknown_pass() {
    breaks_without(Rule::StaleRefusesUnknown);
}

#[test]
fn a_stale_door_goes_on_for_ever() {
    breaks_without(Rule::StaleEndsAtLast);
}
