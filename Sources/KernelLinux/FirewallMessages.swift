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
