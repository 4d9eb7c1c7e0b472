// Keys of the reference's message queue output and of its multi-source file: known, so that they
// are told from typing errors, and without effect.
#include "server/config/key_table.h"

#include <array>

namespace obcanal::config {
namespace {

constexpr std::string_view kQueues = "output to message queues is not supported";
constexpr std::string_view kQueueTopic = "message queues";
constexpr std::string_view kGroup = "several sources in one destination are not supported";
constexpr std::string_view kGroupTopic = "group-instance.xml";

constexpr KeyInfo queue(std::string_view name, std::string_view doc, bool secret = false) {
    KeyInfo info;
    info.name = name;
    info.doc = doc;
    info.secret = secret;
    info.unsupported = kQueues;
    info.topic = kQueueTopic;
    return info;
}

constexpr KeyInfo group(std::string_view name, std::string_view doc) {
    KeyInfo info;
    info.name = name;
    info.doc = doc;
    info.unsupported = kGroup;
    info.topic = kGroupTopic;
    return info;
}

constexpr std::array kForeignKeys = std::to_array<KeyInfo>({
    queue("canal.mq.flatMessage", "Messages are JSON."),
    queue("canal.mq.canalBatchSize", "Fetch size."),
    queue("canal.mq.canalGetTimeout", "Milliseconds that a fetch waits."),
    queue("canal.mq.accessChannel", "local or cloud."),
    queue("canal.mq.database.hash", "Partitions depend on the schema, too."),
    queue("canal.mq.build.thread.size", "Threads that build messages."),
    queue("canal.mq.send.thread.size", "Threads that send messages."),
    queue("canal.mq.topic", "Topic."),
    queue("canal.mq.partition", "Partition."),
    queue("canal.mq.partitionsNum", "Number of partitions."),
    queue("canal.mq.partitionHash", "Columns that choose the partition."),
    queue("canal.mq.dynamicTopic", "Topics by table."),
    queue("canal.mq.dynamicTopicPartitionNum", "Number of partitions by topic."),
    queue("canal.mq.enableDynamicQueuePartition", "Number of partitions as the topic has."),
    queue("canal.mq.servers", "Servers (before 1.1.5)."),
    queue("canal.mq.retries", "Retries (before 1.1.5)."),
    queue("canal.mq.acks", "kafka.acks (before 1.1.5)."),
    queue("canal.mq.batchSize", "kafka.batch.size (before 1.1.5)."),
    queue("canal.mq.lingerMs", "kafka.linger.ms (before 1.1.5)."),
    queue("canal.mq.maxRequestSize", "kafka.max.request.size (before 1.1.5)."),
    queue("canal.mq.bufferMemory", "kafka.buffer.memory (before 1.1.5)."),
    queue("canal.mq.compressionType", "kafka.compression.type (before 1.1.5)."),
    queue("canal.mq.transaction", "Transactions (before 1.1.5)."),
    queue("canal.mq.parallelThreadSize", "Threads (before 1.1.5)."),
    queue("canal.mq.producerGroup", "rocketmq.producer.group (before 1.1.5)."),
    queue("canal.mq.namespace", "rocketmq.namespace (before 1.1.5)."),
    queue("canal.mq.enableMessageTrace", "rocketmq.enable.message.trace (before 1.1.5)."),
    queue("canal.mq.customizedTraceTopic", "rocketmq.customized.trace.topic (before 1.1.5)."),
    queue("canal.mq.vhost", "rabbitmq.virtual.host (before 1.1.5)."),
    queue("canal.mq.exchange", "rabbitmq.exchange (before 1.1.5)."),
    queue("canal.mq.username", "rabbitmq.username (before 1.1.5)."),
    queue("canal.mq.password", "rabbitmq.password (before 1.1.5).", true),
    queue("canal.mq.aliyunuid", "canal.aliyun.uid (before 1.1.5)."),
    queue("canal.mq.kafka.kerberos.enable", "kafka.kerberos.enable (before 1.1.5)."),
    queue("canal.mq.kafka.kerberos.krb5.file", "kafka.kerberos.krb5.file (before 1.1.5)."),
    queue("canal.mq.kafka.kerberos.jaas.file", "kafka.kerberos.jaas.file (before 1.1.5)."),
    queue("canal.mq.kafka.kerberos.krb5FilePath", "kafka.kerberos.krb5.file (before 1.1.5)."),
    queue("canal.mq.kafka.kerberos.jaasFilePath", "kafka.kerberos.jaas.file (before 1.1.5)."),
    queue("rocketmq.producer.group", "Producer group."),
    queue("rocketmq.enable.message.trace", "Message trace."),
    queue("rocketmq.customized.trace.topic", "Topic of the message trace."),
    queue("rocketmq.namespace", "Namespace."),
    queue("rocketmq.namesrv.addr", "Name servers."),
    queue("rocketmq.retry.times.when.send.failed", "Retries."),
    queue("rocketmq.vip.channel.enabled", "VIP channel."),
    queue("rocketmq.tag", "Tag of messages."),
    queue("rocketmq.access.channel", "Access channel."),
    queue("rocketmq.batch.size", "Batch size."),
    queue("rocketmq.subscribe.filter", "Filter of consumers."),
    queue("rabbitmq.host", "Server."),
    queue("rabbitmq.virtual.host", "Virtual host."),
    queue("rabbitmq.exchange", "Exchange."),
    queue("rabbitmq.username", "User."),
    queue("rabbitmq.password", "Password.", true),
    queue("rabbitmq.queue", "Queue."),
    queue("rabbitmq.routingKey", "Routing key."),
    queue("rabbitmq.deliveryMode", "Type of the exchange."),
    queue("rabbitmq.rabbitmq.resource.ownerId", "Owner of Aliyun resources."),
    queue("pulsarmq.serverUrl", "Server."),
    queue("pulsarmq.roleToken", "Token.", true),
    queue("pulsarmq.topicTenantPrefix", "Prefix of topics."),
    queue("pulsarmq.adminServerUrl", "Administration server."),
    queue("pulsarmq.listenerName", "Listener."),
    queue("pulsarmq.enableChunking", "Chunks large messages."),
    queue("pulsarmq.compressionType", "Compression."),
    group("canal.instance.master1.address", "First source."),
    group("canal.instance.master1.journal.name", "First source: start position."),
    group("canal.instance.master1.position", "First source: start position."),
    group("canal.instance.master1.timestamp", "First source: start position."),
    group("canal.instance.master1.gtid", "First source: start position."),
    group("canal.instance.master2.address", "Second source."),
    group("canal.instance.master2.journal.name", "Second source: start position."),
    group("canal.instance.master2.position", "Second source: start position."),
    group("canal.instance.master2.timestamp", "Second source: start position."),
    group("canal.instance.master2.gtid", "Second source: start position."),
    group("canal.instance.standby1.address", "First source's standby."),
    group("canal.instance.standby1.journal.name", "First source's standby: start position."),
    group("canal.instance.standby1.position", "First source's standby: start position."),
    group("canal.instance.standby1.timestamp", "First source's standby: start position."),
    group("canal.instance.standby1.gtid", "First source's standby: start position."),
    group("canal.instance.standby2.address", "Second source's standby."),
    group("canal.instance.standby2.journal.name", "Second source's standby: start position."),
    group("canal.instance.standby2.position", "Second source's standby: start position."),
    group("canal.instance.standby2.timestamp", "Second source's standby: start position."),
    group("canal.instance.standby2.gtid", "Second source's standby: start position."),
});

constexpr std::array kForeignPrefixes = std::to_array<KeyPrefix>({
    {"kafka.", kQueues, kQueueTopic},
});

}  // namespace

std::span<const KeyInfo> foreign_keys() { return kForeignKeys; }

std::span<const KeyPrefix> foreign_prefixes() { return kForeignPrefixes; }

}  // namespace obcanal::config
