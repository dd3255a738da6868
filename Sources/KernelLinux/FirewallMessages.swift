import CLinux
import KernelInterface

/// nfnetlink requests of nftables that need no ruleset: its generation, and the names of its tables (linux/netfilter/nf_tables.h).
enum FirewallMessages {
    /// Length of `struct nfgenmsg`.
    static let headerLength = 4

    static func generation() -> NetlinkMessage { request(NFT_MSG_GETGEN, flags: Int(NLM_F_ACK)) }

    static func parseGeneration(_ reply: NetlinkReply) -> UInt32? {
        for (type, value) in reply.attributes(after: headerLength) where type == Int(NFTA_GEN_ID.rawValue) {
            return UInt32(bigEndian: value.uint32)
        }
        return nil
    }

    static func tableDump() -> NetlinkMessage { request(NFT_MSG_GETTABLE, flags: Int(NLM_F_ROOT | NLM_F_MATCH)) }

    /// "family name": of a table, and of everything in one, whose messages all have the table's name as the same attribute.
    static func parseTable(_ reply: NetlinkReply) -> String? {
        guard let family = familyName(reply.payload.uint8) else { return nil }
        for (type, value) in reply.attributes(after: headerLength) where type == Int(NFTA_TABLE_NAME.rawValue) {
            return "\(family) \(value.text)"
        }
        return nil
    }

    /// What a dump tells about one thing in a table, whose identity it names.
    enum Part: Hashable {
        case chain(String, hasHook: Bool, in: String)
        case set(String, FirewallTable.ElementSet.Form, in: String)
        case object(String, kind: String, in: String)
    }

    static func chainDump() -> NetlinkMessage { request(NFT_MSG_GETCHAIN, flags: Int(NLM_F_ROOT | NLM_F_MATCH)) }
    static func setDump() -> NetlinkMessage { request(NFT_MSG_GETSET, flags: Int(NLM_F_ROOT | NLM_F_MATCH)) }
    static func objectDump() -> NetlinkMessage { request(NFT_MSG_GETOBJ, flags: Int(NLM_F_ROOT | NLM_F_MATCH)) }

    /// Nil for a chain that belongs to a rule.
    static func parseChain(_ reply: NetlinkReply) -> Part? {
        guard let table = parseTable(reply) else { return nil }
        var name: String?
        var hasHook = false
        for (type, value) in reply.attributes(after: headerLength) {
            if type == Int(NFTA_CHAIN_NAME.rawValue) { name = value.text }
            if type == Int(NFTA_CHAIN_HOOK.rawValue) { hasHook = true }
            if type == Int(NFTA_CHAIN_FLAGS.rawValue), UInt32(bigEndian: value.uint32) & UInt32(NFT_CHAIN_BINDING.rawValue) != 0 {
                return nil
            }
        }
        return name.map { .chain($0, hasHook: hasHook, in: table) }
    }

    /// Nil for a set that belongs to a rule.
    static func parseSet(_ reply: NetlinkReply) -> Part? {
        guard let table = parseTable(reply) else { return nil }
        var name: String?
        var flags: UInt32 = 0
        for (type, value) in reply.attributes(after: headerLength) {
            if type == Int(NFTA_SET_NAME.rawValue) { name = value.text }
            if type == Int(NFTA_SET_FLAGS.rawValue) { flags = UInt32(bigEndian: value.uint32) }
        }
        guard let name, flags & UInt32(NFT_SET_ANONYMOUS.rawValue) == 0 else { return nil }
        let isMap = flags & UInt32(NFT_SET_MAP.rawValue | NFT_SET_OBJECT.rawValue) != 0
        return .set(name, isMap ? .map : .set, in: table)
    }

    static func parseObject(_ reply: NetlinkReply) -> Part? {
        guard let table = parseTable(reply) else { return nil }
        var name: String?
        var kind: String?
        for (type, value) in reply.attributes(after: headerLength) {
            if type == Int(NFTA_OBJ_NAME.rawValue) { name = value.text }
            if type == Int(NFTA_OBJ_TYPE.rawValue) { kind = objectKind(UInt32(bigEndian: value.uint32)) }
        }
        return name.map { .object($0, kind: kind ?? FirewallContents.otherKind, in: table) }
    }

    private static func objectKind(_ number: UInt32) -> String? {
        // linux/netfilter/nf_tables.h: NFT_OBJECT_*, which Swift does not import.
        switch number {
        case 1: "counter"
        case 3: "ct helper"
        default: nil
        }
    }

    private static func familyName(_ number: UInt8) -> String? {
        // linux/netfilter.h: NFPROTO_*.
        switch number {
        case 1: "inet"
        case 2: "ip"
        case 3: "arp"
        case 5: "netdev"
        case 7: "bridge"
        case 10: "ip6"
        default: nil
        }
    }

    private static func request(_ type: nf_tables_msg_types, flags: Int) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(NFNL_SUBSYS_NFTABLES) << 8 | Int(type.rawValue), flags: flags)
        // struct nfgenmsg: any family, version 0, resource 0.
        message.append(zeros: headerLength)
        return message
    }
}
