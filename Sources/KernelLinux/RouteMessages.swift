import Addressing
import CLinux
import KernelInterface

/// RTM_*ROUTE requests and answers, for the main table.
enum RouteMessages {
    /// Length of `struct rtmsg`.
    static let headerLength = 12

    static func replacement(_ route: Route, index: Int32) -> NetlinkMessage {
        // IPv4 refuses a gateway for a destination of link scope, and a destination of universe scope is what others add.
        let scope = route.gateway == nil && route.destination.version == .v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE
        let flags = Int(NLM_F_CREATE) | Int(NLM_F_REPLACE)
        return request(Int(RTM_NEWROUTE), flags: flags, route, index, protocol: UInt8(RTPROT_STATIC), scope: UInt8(scope.rawValue))
    }

    static func removal(_ route: Route, index: Int32) -> NetlinkMessage {
        // Protocol 0 and scope nowhere match any.
        request(Int(RTM_DELROUTE), flags: 0, route, index, protocol: 0, scope: UInt8(RT_SCOPE_NOWHERE.rawValue))
    }

    static func dump(_ version: IPVersion) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_GETROUTE), flags: Int(NLM_F_ROOT | NLM_F_MATCH))
        message.appendRouteHeader(family: version.family, destinationLength: 0, protocol: 0, scope: 0, type: 0)
        message.attribute(Int(RTA_TABLE.rawValue), UInt32(RT_TABLE_MAIN.rawValue))
        return message
    }

    /// The outgoing link's index and the route; nil for what the kernel, a routing daemon or keepalived made, and for kinds of route that
    /// ``Route`` does not say (blackhole, several next hops).
    static func parse(_ reply: NetlinkReply) -> (index: Int32, destination: IPPrefix, gateway: IPAddress?)? {
        guard reply.type == Int(RTM_NEWROUTE), reply.payload.count >= headerLength else { return nil }
        let header = reply.payload
        let version: IPVersion = header.number(at: 0, as: UInt8.self) == IPVersion.v4.family ? .v4 : .v6
        let origin = header.number(at: 5, as: UInt8.self)
        let type = header.number(at: 7, as: UInt8.self)
        guard origin == UInt8(RTPROT_STATIC) || origin == UInt8(RTPROT_BOOT), type == UInt8(RTN_UNICAST) else { return nil }
        var table = UInt32(header.number(at: 4, as: UInt8.self))
        var destination = IPAddress(version: version, number: 0)
        var gateway: IPAddress?
        var index: Int32?
        for (type, value) in reply.attributes(after: headerLength) {
            switch type {
            case Int(RTA_DST.rawValue): destination = value.address
            case Int(RTA_GATEWAY.rawValue): gateway = value.address
            // struct rtvia: a family in two bytes, then the address.
            case Int(RTA_VIA.rawValue): gateway = value.dropFirst(2).address
            case Int(RTA_OIF.rawValue): index = value.int32
            case Int(RTA_TABLE.rawValue): table = value.uint32
            default: break
            }
        }
        guard table == UInt32(RT_TABLE_MAIN.rawValue), let index, let destination,
            let prefix = IPPrefix(masking: destination, length: Int(header.number(at: 1, as: UInt8.self)))
        else { return nil }
        return (index, prefix, gateway)
    }

    private static func request(
        _ type: Int, flags: Int, _ route: Route, _ index: Int32, protocol origin: UInt8, scope: UInt8
    ) -> NetlinkMessage {
        var message = NetlinkMessage(type: type, flags: flags | Int(NLM_F_ACK))
        let kind = type == Int(RTM_NEWROUTE) ? UInt8(RTN_UNICAST) : 0
        let length = UInt8(route.destination.length)
        message.appendRouteHeader(
            family: route.destination.version.family, destinationLength: length, protocol: origin, scope: scope, type: kind,
            table: UInt8(RT_TABLE_MAIN.rawValue))
        if length > 0 { message.attribute(Int(RTA_DST.rawValue), route.destination.address) }
        if let gateway = route.gateway {
            if gateway.version == route.destination.version {
                message.attribute(Int(RTA_GATEWAY.rawValue), gateway)
            } else {
                // An IPv6 next hop of an IPv4 destination (RFC 5549).
                let family = UInt16(gateway.version.family)
                message.attribute(Int(RTA_VIA.rawValue), withUnsafeBytes(of: family) { Array($0) } + gateway.octets)
            }
        }
        message.attribute(Int(RTA_OIF.rawValue), UInt32(index))
        return message
    }
}

extension NetlinkMessage {
    /// `struct rtmsg`.
    mutating func appendRouteHeader(
        family: UInt8, destinationLength: UInt8, protocol origin: UInt8, scope: UInt8, type: UInt8, table: UInt8 = 0
    ) {
        for byte in [family, destinationLength, 0, 0, table, origin, scope, type] { append(byte) }
        append(UInt32(0))
    }
}
