// Full loads: pieces of a table by its key, conditions with their parameters, the state that
// outlives the process, figures.
#include "adapter/core/key_ranges.h"
#include "adapter/core/load_progress.h"
#include "adapter/core/load_state.h"
#include "tests/unit/scratch_dir.h"

#include <gtest/gtest.h>

namespace obcanal::adapter::core {
namespace {

SourceTable pair_table() {
    SourceTable table;
    table.database = "t";
    table.name = "pair";
    table.columns = {
        {"v", "int(11)", "int", false},
        {"a", "varchar(9)", "varchar", true},
        {"b", "bigint(20)", "bigint", true}
    };
    table.paging_key = {1, 2};
    return table;
}

KeyRange piece(uint64_t number, std::vector<std::string> after, std::vector<std::string> up_to) {
    KeyRange range;
    range.number = number;
    range.after = std::move(after);
    range.up_to = std::move(up_to);
    return range;
}

TEST(KeyRanges, ComparesEveryColumnOfTheKeyAndNothingOfAValueIsSql) {
    const KeyRanges ranges(pair_table(), "(v>0)", 10, {});
    EXPECT_EQ(
        ranges.where(piece(0, {"it's", "7"}, {"z", "-8"})),
        " WHERE (v>0)"
        " AND `a`>=_utf8mb4 X'69742773' AND (`a`>_utf8mb4 X'69742773' OR (`a`=_utf8mb4 X'69742773' "
        "AND `b`>7))"
        " AND `a`<=_utf8mb4 X'7a' AND (`a`<_utf8mb4 X'7a' OR (`a`=_utf8mb4 X'7a' AND `b`<=-8))"
        " ORDER BY `a`,`b`"
    );
    EXPECT_EQ(ranges.where(piece(0, {}, {})), " WHERE (v>0) ORDER BY `a`,`b`");
    EXPECT_EQ(
        ranges.where(piece(0, {"a", "1 OR 1"}, {})),
        " WHERE (v>0) AND `a`>=_utf8mb4 X'61' AND (`a`>_utf8mb4 X'61' OR (`a`=_utf8mb4 X'61' AND"
        " `b`>_utf8mb4 X'31204f522031')) ORDER BY `a`,`b`"
    );
}

TEST(KeyRanges, TheFrontierWaitsForThePiecesInFront) {
    KeyRanges ranges(pair_table(), "", 10, {"a", "0"});
    ranges.done(piece(1, {"b", "1"}, {"c", "2"}), 20);
    EXPECT_EQ(ranges.frontier().after, (std::vector<std::string>{"a", "0"}));
    EXPECT_EQ(ranges.frontier().rows, 0U);
    ranges.done(piece(0, {"a", "0"}, {"b", "1"}), 10);
    EXPECT_EQ(ranges.frontier().after, (std::vector<std::string>{"c", "2"}));
    EXPECT_EQ(ranges.frontier().rows, 30U);
    EXPECT_FALSE(ranges.frontier().all);
    ranges.done(piece(2, {"c", "2"}, {}), 5);
    EXPECT_TRUE(ranges.frontier().all);
}

TEST(Condition, TakesAsManyParametersAsItNames) {
    EXPECT_EQ(
        *fill_condition(" where a>={} and b<>{} ", {"1", "x' or 1"}),
        "where a>=_utf8mb4 X'31' and b<>_utf8mb4 X'7827206f722031'"
    );
    EXPECT_EQ(*fill_condition("where a>={}", {}), "") << "without parameters everything is loaded";
    EXPECT_EQ(*fill_condition("", {"1"}), "");
    EXPECT_EQ(*fill_condition("where a>={}", {""}), "where a>=_utf8mb4 X''");
    const auto wrong = fill_condition("where a>={}", {"1", "2"});
    ASSERT_FALSE(wrong.ok());
    EXPECT_EQ(wrong.error().detail, "etlCondition \"where a>={}\" takes 1 parameters, 2 are given");
}

TEST(Condition, BeginsWithWhere) {
    EXPECT_EQ(*condition_in_brackets(" WHERE a = 1 or b "), "(a = 1 or b)");
    EXPECT_EQ(*condition_in_brackets("where(a)"), "((a))");
    EXPECT_EQ(*condition_in_brackets(""), "");
    EXPECT_FALSE(condition_in_brackets("limit 7").ok());
    EXPECT_FALSE(condition_in_brackets("wherever = 1").ok());
}

class LoadStoreTest : public testing::Test {
 protected:
    LoadStore store() const { return {scratch_.path(), "ex/ample", "g1", "key.1"}; }

    const ScratchDir scratch_;
};

TEST_F(LoadStoreTest, GoesOnWithTheSameParametersOnly) {
    FullLoadRequest request;
    request.task = "user.yml";
    request.params = {std::string("\x00\xff", 2), "b"};
    LoadState state = *store().begin(request);
    state.parts["user"].after_key = {"7", std::string("\xfe", 1)};
    state.parts["user"].rows = 9;
    state.parts["log"].log_file = "bin.000001";
    state.parts["log"].log_offset = 4;
    state.parts["log"].done = true;
    state.replayed_until_ms = 12'345;
    ASSERT_TRUE(store().save(state).ok());

    const LoadState again = *store().begin(request);
    EXPECT_EQ(again.parts.at("user").after_key, state.parts["user"].after_key);
    EXPECT_EQ(again.parts.at("user").rows, 9U);
    EXPECT_TRUE(again.parts.at("log").done);
    EXPECT_EQ(again.parts.at("log").log_file, "bin.000001");
    EXPECT_EQ(again.parts.at("log").log_offset, 4);

    FullLoadRequest anew = request;
    anew.restart = true;
    EXPECT_TRUE(store().begin(anew)->parts.empty());
    FullLoadRequest other = request;
    other.params = {"c"};
    ASSERT_TRUE(store().save(state).ok());
    const LoadState begun = *store().begin(other);
    EXPECT_TRUE(begun.parts.empty());
    EXPECT_EQ(begun.replayed_until_ms, 12'345)
        << "the stream still replays what the first one read";
}

TEST_F(LoadStoreTest, ADoneOneIsKeptUntilItIsForgotten) {
    FullLoadRequest request;
    request.task = "user.yml";
    LoadState state = *store().begin(request);
    state.phase = LoadState::Phase::Done;
    state.parts["user"].done = true;
    ASSERT_TRUE(store().save(state).ok());
    ASSERT_EQ(store().all()->size(), 1U);
    EXPECT_EQ(store().all()->front().phase, LoadState::Phase::Done);
    const LoadStore others(scratch_.path(), "ex/ample", "g1", "key");
    EXPECT_TRUE(others.all()->empty()) << "another adapter's";
    EXPECT_TRUE(store().begin(request)->parts.empty()) << "the next request begins anew";
    ASSERT_TRUE(store().forget("user.yml").ok());
    EXPECT_TRUE(store().all()->empty());
}

TEST(LoadProgress, KnowsWhatWasLoadedBefore) {
    LoadProgress progress;
    EXPECT_FALSE(progress.figures().has_value());
    progress.begin("user.yml", "t.user", 100, 400);
    progress.add(100);
    const LoadFigures now = *progress.figures();
    EXPECT_EQ(now.rows, 200U);
    EXPECT_DOUBLE_EQ(now.percent, 50);
    EXPECT_TRUE(now.running());
    progress.add(1'000);
    EXPECT_LT(progress.figures()->percent, 100) << "more came than there were";
    progress.end("done", "");
    EXPECT_DOUBLE_EQ(progress.figures()->percent, 100);
    EXPECT_NE(progress.figures()->text().find("\"rows\":1200"), std::string::npos);
}

}  // namespace
}  // namespace obcanal::adapter::core
