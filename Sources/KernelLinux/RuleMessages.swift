import Addressing
import CLinux
import KernelInterface

/// RTM_*RULE requests and answers. Rules of ours have the protocol static, as routes have.
enum RuleMessages {
    /// Length of `struct fib_rule_hdr`, which has the form of `struct rtmsg`.
    static let headerLength = 12

    static func addition(_ rule: RoutingRule) -> NetlinkMessage {
        message(Int(RTM_NEWRULE), flags: Int(NLM_F_CREATE) | Int(NLM_F_EXCL), rule)
    }

    static func removal(_ rule: RoutingRule) -> NetlinkMessage { message(Int(RTM_DELRULE), flags: 0, rule) }

    static func dump(_ version: IPVersion) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_GETRULE), flags: Int(NLM_F_ROOT | NLM_F_MATCH))
        message.appendRouteHeader(family: version.family, destinationLength: 0, protocol: 0, scope: 0, type: 0)
        return message
    }

    /// Nil for rules of others, and for kinds that ``RoutingRule`` does not say.
    static func parse(_ reply: NetlinkReply) -> RoutingRule? {
        guard reply.type == Int(RTM_NEWRULE), reply.payload.count >= headerLength else { return nil }
        let header = reply.payload
        // Of no source or destination, and to a table.
        guard header.number(at: 1, as: UInt8.self) == 0, header.number(at: 2, as: UInt8.self) == 0,
            header.number(at: 7, as: UInt8.self) == UInt8(FR_ACT_TO_TBL)
        else { return nil }
        let version: IPVersion = header.number(at: 0, as: UInt8.self) == IPVersion.v4.family ? .v4 : .v6
        var rule = RoutingRule(version: version, priority: 0, table: UInt32(header.number(at: 4, as: UInt8.self)))
        var origin: UInt8?
        for (type, value) in reply.attributes(after: headerLength) {
            switch type {
            case Int(FRA_PRIORITY): rule.priority = value.uint32
            case Int(FRA_TABLE): rule.table = value.uint32
            case Int(FRA_FWMARK): if value.uint32 != 0 { rule.mark = value.uint32 }
            // All bits set says that nothing is suppressed.
            case Int(FRA_SUPPRESS_PREFIXLEN): rule.ignoresDefaultRoutes = value.uint32 == 0
            case Int(FRA_PROTOCOL): origin = value.first
            default: break
            }
        }
        return origin == UInt8(RTPROT_STATIC) ? rule : nil
    }

    private static func message(_ type: Int, flags: Int, _ rule: RoutingRule) -> NetlinkMessage {
        var message = NetlinkMessage(type: type, flags: flags | Int(NLM_F_ACK))
        message.appendRouteHeader(
            family: rule.version.family, destinationLength: 0, protocol: 0, scope: 0, type: UInt8(FR_ACT_TO_TBL))
        message.attribute(Int(FRA_PRIORITY), rule.priority)
        message.attribute(Int(FRA_TABLE), rule.table)
        message.attribute(Int(FRA_PROTOCOL), UInt8(RTPROT_STATIC))
        if let mark = rule.mark { message.attribute(Int(FRA_FWMARK), mark) }
        if rule.ignoresDefaultRoutes { message.attribute(Int(FRA_SUPPRESS_PREFIXLEN), UInt32(0)) }
        return message
    }
}
