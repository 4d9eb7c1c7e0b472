// The watched configuration directory: what counts as a destination, and which change counts when.
#include "server/config/conf_scan.h"

#include "conf_dir.h"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>

namespace obcanal::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Pair;
using testing::UnorderedElementsAre;

std::vector<std::string> names(const ConfListing& listing) {
    std::vector<std::string> all;
    for (const auto& [name, stamp] : listing.destinations) all.push_back(name);
    return all;
}

TEST_F(ConfDirTest, DirectoriesWithAnInstanceFileAreDestinations) {
    instance({}, "other");
    instance({}, "spring");
    instance({}, "Spring");
    instance({}, ".svn");
    instance({}, "with blank");
    write(dir() + "/metrics/dashboard.json", "{}");
    write(dir() + "/plain/Instance.properties.bak", "");
    const Result<ConfListing> listing = list_destinations(dir());
    ASSERT_TRUE(listing.ok());
    EXPECT_THAT(names(*listing), ElementsAre("other", "shop"));
    EXPECT_THAT(
        listing->misnamed,
        UnorderedElementsAre(
            Pair(".svn", HasSubstr("can't name a destination")),
            Pair("with blank", HasSubstr("can't name a destination"))
        )
    );
    EXPECT_THAT(listing->unreadable, IsEmpty());
}

TEST_F(ConfDirTest, ADirectoryThatIsNotThereIsAnErrorAndNotEmpty) {
    const Result<ConfListing> listing = list_destinations(dir() + "/nothing");
    ASSERT_FALSE(listing.ok());
    EXPECT_THAT(listing.error().detail, HasSubstr("/nothing: can't be listed: No such file"));
}

TEST_F(ConfDirTest, StampsFollowTheFile) {
    const ConfListing before = list_destinations(dir()).value();
    EXPECT_EQ(list_destinations(dir())->destinations, before.destinations);
    instance("# longer\n");
    EXPECT_NE(list_destinations(dir())->destinations, before.destinations);
}

TEST_F(ConfDirTest, AutoScanReadsUnlistedDestinationsToo) {
    instance({}, "other");
    EXPECT_EQ(loaded().instances.size(), 1U);
    server("canal.auto.scan = true\n");
    LoadedConfig config = loaded();
    EXPECT_EQ(findings(config), "");
    ASSERT_EQ(config.instances.size(), 2U);
    EXPECT_EQ(config.instances[1].destination, "other");
    EXPECT_THAT(names(config.listing), ElementsAre("other", "shop"));
    instance({}, ".git");
    config = loaded();
    EXPECT_THAT(findings(config), HasSubstr("CONF/.git: warning: '.git' can't name a destination"));
}

// -- what a watch makes of a sequence of looks

ConfListing listing(std::map<std::string, int64_t> modified) {
    ConfListing made;
    for (const auto& [name, at] : modified) made.destinations[name] = {at, 10, 1};
    return made;
}

TEST(ConfWatch, NothingMovesNothingHappens) {
    ConfWatch watch(listing({{"a", 1}}));
    for (int i = 0; i < 3; ++i) {
        const ConfWatch::Changes changes = watch.look(listing({{"a", 1}}));
        EXPECT_THAT(changes.changed, IsEmpty());
        EXPECT_THAT(changes.removed, IsEmpty());
        EXPECT_FALSE(changes.unsettled);
    }
}

TEST(ConfWatch, AChangeCountsOnceItHasSettled) {
    ConfWatch watch(listing({{"a", 1}, {"b", 1}}));
    ConfWatch::Changes changes = watch.look(listing({{"a", 2}, {"b", 1}}));
    EXPECT_THAT(changes.changed, IsEmpty());
    EXPECT_TRUE(changes.unsettled);
    changes = watch.look(listing({{"a", 3}, {"b", 1}}));  // still being written
    EXPECT_THAT(changes.changed, IsEmpty());
    EXPECT_TRUE(changes.unsettled);
    changes = watch.look(listing({{"a", 3}, {"b", 1}}));
    EXPECT_THAT(changes.changed, ElementsAre("a"));
    EXPECT_FALSE(changes.unsettled);
    changes = watch.look(listing({{"a", 3}, {"b", 1}}));
    EXPECT_THAT(changes.changed, IsEmpty());
}

TEST(ConfWatch, NewOnesAndRemovedOnes) {
    ConfWatch watch(listing({{"a", 1}}));
    watch.look(listing({{"b", 1}}));
    ConfWatch::Changes changes = watch.look(listing({{"b", 1}}));
    EXPECT_THAT(changes.changed, ElementsAre("b"));
    EXPECT_THAT(changes.removed, ElementsAre("a"));
    EXPECT_FALSE(changes.unsettled);
    // It may come back.
    watch.look(listing({{"a", 1}, {"b", 1}}));
    changes = watch.look(listing({{"a", 1}, {"b", 1}}));
    EXPECT_THAT(changes.changed, ElementsAre("a"));
}

TEST(ConfWatch, AFileThatAnEditorReplacesIsAChangeAndNoRemoval) {
    ConfWatch watch(listing({{"a", 1}}));
    ConfWatch::Changes changes = watch.look(listing({}));
    EXPECT_TRUE(changes.unsettled);
    EXPECT_THAT(changes.removed, IsEmpty());
    watch.look(listing({{"a", 2}}));
    changes = watch.look(listing({{"a", 2}}));
    EXPECT_THAT(changes.changed, ElementsAre("a"));
    EXPECT_THAT(changes.removed, IsEmpty());
}

TEST(ConfWatch, WhatCanNotBeLookedIntoStays) {
    ConfWatch watch(listing({{"a", 1}}));
    ConfListing blind;
    blind.unreadable["a"] = "Permission denied";
    for (int i = 0; i < 3; ++i) {
        const ConfWatch::Changes changes = watch.look(blind);
        EXPECT_THAT(changes.removed, IsEmpty());
        EXPECT_FALSE(changes.unsettled);
    }
}

}  // namespace
}  // namespace obcanal::config
