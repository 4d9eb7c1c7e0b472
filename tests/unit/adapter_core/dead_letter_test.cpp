// Parked changes: what waits behind them, and what becomes of them.
#include "adapter/core/dead_letter_store.h"
#include "adapter/core/dead_letter_tool.h"
#include "adapter/core/letter_text.h"
#include "tests/unit/scratch_dir.h"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <sstream>

namespace obcanal::adapter::core {
namespace {

using canal::EventType;
using testing::HasSubstr;

class DeadLetterTest : public testing::Test {
 protected:
    DeadLetterTest() {
        dml_.type = EventType::Update;
        dml_.database = "shop";
        dml_.table = "user";
        dml_.log_file = "bin.1";
        dml_.log_offset = 77;
        dml_.columns = {{"id", "int(11)", true}, {"b", "blob", false}};
        open();
    }

    void open() {
        store_.reset();
        auto opened = DeadLetterStore::open(dir_, "example");
        ASSERT_TRUE(opened) << opened.error().detail;
        store_ = std::move(opened).value();
    }

    // An update of the key `from` into `to`, each at a place of its own in the log.
    RefusedChange change(const char* from, const char* to) {
        dml_.log_offset = next_offset_++;
        before_ = {{from, 4, ValueState::Value, false}, {"\xff", 2004, ValueState::Value, false}};
        after_ = {{to, 4, ValueState::Value, true}, {"", 2004, ValueState::Unknown, false}};
        dml_.rows = {{before_, after_}};
        return {"user.yml", "1062: Duplicate entry", &dml_, 0};
    }

    bool waits(const char* from, const char* to) {
        return store_->has_earlier(owner_, change(from, to));
    }

    std::string run(DeadLetterRequest request) {
        config::AdapterConfig config;
        config.data_dir = dir_;
        config.destinations = {{"example", {}}};
        std::ostringstream to;
        const Result<void> done = run_dead_letters(config, request, to);
        return done ? to.str() : "! " + done.error().detail;
    }

    const ScratchDir scratch_;
    const std::string dir_ = scratch_.path() + "/dead_letters";
    const LetterOwner owner_{"g1", "mysql1"};
    Dml dml_;
    int64_t next_offset_ = 77;
    std::vector<DmlValue> before_;
    std::vector<DmlValue> after_;
    std::unique_ptr<DeadLetterStore> store_;
};

TEST_F(DeadLetterTest, LaterChangesOfItsKeysWait) {
    EXPECT_FALSE(waits("1", "1"));
    ASSERT_TRUE(store_->park(owner_, change("1", "2")));
    EXPECT_TRUE(waits("1", "1"));
    EXPECT_TRUE(waits("2", "2"));
    EXPECT_TRUE(waits("9", "1"));
    EXPECT_FALSE(waits("3", "3"));
    EXPECT_FALSE(store_->has_earlier({"g2", "mysql1"}, change("1", "1")));
    RefusedChange other = change("1", "1");
    other.task = "other.yml";
    EXPECT_FALSE(store_->has_earlier(owner_, other));
    // A DDL concerns all rows, in both directions.
    Dml ddl;
    ddl.is_ddl = true;
    ddl.database = "shop";
    ddl.table = "user";
    EXPECT_TRUE(store_->has_earlier(owner_, {"user.yml", "", &ddl, 0}));
    ASSERT_TRUE(store_->park(owner_, {"user.yml", "1146", &ddl, 0}));
    EXPECT_TRUE(waits("3", "3"));

    // All of it after a restart too.
    open();
    EXPECT_EQ(store_->size(), 2U);
    EXPECT_TRUE(waits("3", "3"));
    ASSERT_TRUE(store_->done(2));
    EXPECT_FALSE(waits("3", "3"));
    EXPECT_TRUE(waits("2", "2"));
    ASSERT_TRUE(store_->done(1));
    EXPECT_FALSE(waits("2", "2"));
    open();
    EXPECT_EQ(store_->size(), 0U);
}

TEST_F(DeadLetterTest, ALetterGivesTheChangeBack) {
    ASSERT_TRUE(store_->park(owner_, change("1", "2")));
    open();
    const auto made = LetterDml::make(store_->letters().at(0));
    ASSERT_TRUE(made) << made.error().detail;
    const Dml& dml = (*made)->dml();
    EXPECT_EQ(dml.type, EventType::Update);
    EXPECT_EQ(dml.database, "shop");
    EXPECT_EQ(dml.log_file, "bin.1");
    EXPECT_EQ(dml.log_offset, 77);
    ASSERT_EQ(dml.columns.size(), 2U);
    EXPECT_TRUE(dml.columns[0].key);
    EXPECT_EQ(dml.columns[1].mysql_type, "blob");
    ASSERT_EQ(dml.rows.size(), 1U);
    EXPECT_EQ(dml.rows[0].before[1].text, "\xff");
    EXPECT_EQ(dml.rows[0].after[0].text, "2");
    EXPECT_TRUE(dml.rows[0].after[0].updated);
    EXPECT_EQ(dml.rows[0].after[1].state, ValueState::Unknown);
    EXPECT_EQ(dml.rows[0].after[1].sql_type, 2004);
}

TEST_F(DeadLetterTest, OperatorsWishesReachTheRunningAdapterInOrder) {
    ASSERT_TRUE(store_->park(owner_, change("1", "1")));
    ASSERT_TRUE(store_->park(owner_, change("1", "1")));
    ASSERT_TRUE(store_->park(owner_, change("5", "5")));
    EXPECT_THAT(
        run({}), HasSubstr("UPDATE shop.user  bin.1:77  1062: Duplicate entry\nexample 2  ")
    );
    DeadLetterRequest request;
    request.verb = DeadLetterRequest::Verb::Retry;
    request.ids = {2, 3};
    EXPECT_EQ(run(request), "example: 2 to be tried again by the running adapter\n");
    EXPECT_TRUE(store_->to_retry().empty());
    ASSERT_TRUE(store_->refresh());
    // 2 stands behind 1 of the same key.
    ASSERT_EQ(store_->to_retry().size(), 1U);
    EXPECT_EQ(store_->to_retry()[0].id, 3U);
    ASSERT_TRUE(store_->failed(3, "still"));
    EXPECT_TRUE(store_->to_retry().empty());
    EXPECT_EQ(store_->letters()[2].cause, "still");

    request.verb = DeadLetterRequest::Verb::Drop;
    request.ids = {1};
    EXPECT_EQ(run(request), "example: 1 dropped\n");
    ASSERT_TRUE(store_->refresh());
    ASSERT_EQ(store_->to_retry().size(), 1U);
    EXPECT_EQ(store_->to_retry()[0].id, 2U);
    request.ids = {1};
    EXPECT_EQ(run(request), "! example: 1 of the letters are not there");
    request.json = true;
    request.verb = DeadLetterRequest::Verb::List;
    EXPECT_THAT(run(request), HasSubstr(R"("letter":2,"group":"g1","adapter":"mysql1")"));
}

TEST_F(DeadLetterTest, ATornLastLineIsPassedOver) {
    ASSERT_TRUE(store_->park(owner_, change("1", "1")));
    const std::string path = DeadLetterStore::path_of(dir_, "example");
    std::ofstream(path, std::ios::app) << R"({"letter":2,"gro)";
    open();
    EXPECT_EQ(store_->size(), 1U);
    ASSERT_TRUE(store_->park(owner_, change("2", "2")));
    open();
    EXPECT_EQ(store_->size(), 2U);
}

TEST_F(DeadLetterTest, AFileOfManyDoneLettersIsWrittenAnew) {
    for (int i = 0; i < 1010; ++i) {
        ASSERT_TRUE(store_->park(owner_, change("1", "1")));
        ASSERT_TRUE(store_->done(static_cast<uint64_t>(i) + 1));
    }
    ASSERT_TRUE(store_->park(owner_, change("4", "4")));
    const std::string path = DeadLetterStore::path_of(dir_, "example");
    const auto size = std::filesystem::file_size(path);
    open();
    EXPECT_LT(std::filesystem::file_size(path), size / 5);
    ASSERT_EQ(store_->size(), 1U);
    EXPECT_EQ(store_->letters()[0].id, 1011U);
    ASSERT_TRUE(store_->park(owner_, change("5", "5")));
    EXPECT_EQ(store_->letters()[1].id, 1012U);
}

TEST_F(DeadLetterTest, AChangeThatComesAgainMakesNoSecondLetter) {
    const RefusedChange first = change("1", "2");
    EXPECT_FALSE(store_->was_parked(owner_, first));
    ASSERT_TRUE(store_->park(owner_, first));
    open();
    EXPECT_TRUE(store_->was_parked(owner_, first));
    EXPECT_FALSE(store_->was_parked({"g2", "mysql1"}, first));
    ASSERT_TRUE(store_->park(owner_, first));
    EXPECT_EQ(store_->size(), 1U);
    // The same row of the next statement is another change.
    const RefusedChange next = change("1", "2");
    EXPECT_FALSE(store_->was_parked(owner_, next));
    ASSERT_TRUE(store_->park(owner_, next));
    EXPECT_EQ(store_->size(), 2U);
    // Done or dropped, a letter's change is still not to be written when it comes again.
    ASSERT_TRUE(store_->done(2));
    EXPECT_TRUE(store_->was_parked(owner_, next));
    const RefusedChange last = change("8", "8");
    ASSERT_TRUE(store_->park(owner_, last));
    ASSERT_TRUE(store_->done(store_->letters().back().id));
    open();
    EXPECT_TRUE(store_->was_parked(owner_, last));
    // A log without places tells nothing apart.
    dml_.log_file = "";
    ASSERT_TRUE(store_->park(owner_, last));
    ASSERT_TRUE(store_->park(owner_, last));
    EXPECT_FALSE(store_->was_parked(owner_, last));
    EXPECT_EQ(store_->size(), 3U);
}

TEST_F(DeadLetterTest, LettersOfRowsAndOfDdlAreTriedInTheirOrder) {
    Dml ddl;
    ddl.type = EventType::Alter;
    ddl.is_ddl = true;
    ddl.database = "shop";
    ddl.table = "user";
    ddl.log_file = "bin.1";
    ASSERT_TRUE(store_->park(owner_, change("1", "1")));
    ASSERT_TRUE(store_->park(owner_, {"user.yml", "1146", &ddl, 0}));
    ASSERT_TRUE(store_->park(owner_, change("2", "2")));
    ASSERT_TRUE(store_->wish_retry(2));
    ASSERT_TRUE(store_->wish_retry(3));
    EXPECT_TRUE(store_->to_retry().empty());
    ASSERT_TRUE(store_->wish_retry(1));
    EXPECT_EQ(store_->to_retry().size(), 3U);
}

}  // namespace
}  // namespace obcanal::adapter::core
