import Addressing
import CLinux
import KernelInterface

/// RTM_*ROUTE requests and answers.
enum RouteMessages {
    /// Length of `struct rtmsg`.
    static let headerLength = 12
    /// Length of `struct rtnexthop`.
    static let hopHeaderLength = 8

    /// - Parameter furtherIndices: The links of the route's further next hops.
    static func replacement(_ route: Route, index: Int32, furtherIndices: [Int32] = []) -> NetlinkMessage {
        // IPv4 refuses a gateway for a destination of link scope, and a destination of universe scope is what others add.
        let scope = route.gateway == nil && route.destination.version == .v4 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE
        var message = header(
            Int(RTM_NEWROUTE), flags: Int(NLM_F_CREATE) | Int(NLM_F_REPLACE), route, protocol: UInt8(RTPROT_STATIC),
            scope: UInt8(scope.rawValue))
        message.append(hopsOf: route, [index] + furtherIndices)
        return message
    }

    static func removal(_ route: Route, index: Int32, furtherIndices: [Int32] = []) -> NetlinkMessage {
        // Protocol 0 and scope nowhere match any.
        var message = header(Int(RTM_DELROUTE), flags: 0, route, protocol: 0, scope: UInt8(RT_SCOPE_NOWHERE.rawValue))
        message.append(hopsOf: route, [index] + furtherIndices)
        return message
    }

    static func dump(_ version: IPVersion) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_GETROUTE), flags: Int(NLM_F_ROOT | NLM_F_MATCH))
        message.appendRouteHeader(family: version.family, destinationLength: 0, protocol: 0, scope: 0, type: 0)
        message.attribute(Int(RTA_TABLE.rawValue), UInt32(RT_TABLE_MAIN.rawValue))
        return message
    }

    /// Of all tables what ``replacement(_:index:furtherIndices:)`` made: the kernel picks by protocol.
    static func dumpOfOurs(_ version: IPVersion) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(RTM_GETROUTE), flags: Int(NLM_F_ROOT | NLM_F_MATCH))
        message.appendRouteHeader(
            family: version.family, destinationLength: 0, protocol: UInt8(RTPROT_STATIC), scope: 0, type: 0)
        return message
    }

    /// A next hop by its link's index.
    struct Hop: Hashable {
        var index: Int32
        var gateway: IPAddress?
    }

    /// The table, the destination and where it is reached; nil for what the kernel, a routing daemon or keepalived made, and for kinds of route that
    /// ``Route`` does not say (blackhole).
    static func parse(_ reply: NetlinkReply) -> (table: UInt32, destination: IPPrefix, hops: [Hop])? {
        guard reply.type == Int(RTM_NEWROUTE), reply.payload.count >= headerLength else { return nil }
        let header = reply.payload
        let version: IPVersion = header.number(at: 0, as: UInt8.self) == IPVersion.v4.family ? .v4 : .v6
        let origin = header.number(at: 5, as: UInt8.self)
        let type = header.number(at: 7, as: UInt8.self)
        guard origin == UInt8(RTPROT_STATIC) || origin == UInt8(RTPROT_BOOT), type == UInt8(RTN_UNICAST) else { return nil }
        var table = UInt32(header.number(at: 4, as: UInt8.self))
        var destination = IPAddress(version: version, number: 0)
        var index: Int32?
        var hops: [Hop] = []
        for (type, value) in reply.attributes(after: headerLength) {
            switch type {
            case Int(RTA_DST.rawValue): destination = value.address
            case Int(RTA_OIF.rawValue): index = value.int32
            case Int(RTA_MULTIPATH.rawValue): hops = parseHops(value)
            case Int(RTA_TABLE.rawValue): table = value.uint32
            default: break
            }
        }
        if let index { hops = [Hop(index: index, gateway: gateway(in: reply.attributes(after: headerLength)))] }
        guard !hops.isEmpty, let destination,
            let prefix = IPPrefix(masking: destination, length: Int(header.number(at: 1, as: UInt8.self)))
        else { return nil }
        return (table, prefix, hops)
    }

    private static func gateway(in attributes: NetlinkAttributes) -> IPAddress? {
        var gateway: IPAddress?
        for (type, value) in attributes {
            switch type {
            case Int(RTA_GATEWAY.rawValue): gateway = value.address
            // struct rtvia: a family in two bytes, then the address.
            case Int(RTA_VIA.rawValue): gateway = value.dropFirst(2).address
            default: break
            }
        }
        return gateway
    }

    /// `struct rtnexthop`, each followed by attributes of its own, in a row.
    private static func parseHops(_ bytes: ArraySlice<UInt8>) -> [Hop] {
        var hops: [Hop] = []
        var rest = bytes
        while rest.count >= hopHeaderLength {
            let length = Int(rest.number(at: 0, as: UInt16.self))
            guard length >= hopHeaderLength, length <= rest.count else { break }
            let attributes = NetlinkAttributes(bytes: rest.prefix(length).dropFirst(hopHeaderLength))
            hops.append(Hop(index: rest.number(at: 4, as: Int32.self), gateway: gateway(in: attributes)))
            rest = rest.dropFirst((length + 3) & ~3)
        }
        return hops
    }

    private static func header(_ type: Int, flags: Int, _ route: Route, protocol origin: UInt8, scope: UInt8) -> NetlinkMessage {
        var message = NetlinkMessage(type: type, flags: flags | Int(NLM_F_ACK))
        let kind = type == Int(RTM_NEWROUTE) ? UInt8(RTN_UNICAST) : 0
        let length = UInt8(route.destination.length)
        message.appendRouteHeader(
            family: route.destination.version.family, destinationLength: length, protocol: origin, scope: scope, type: kind,
            table: UInt8(exactly: route.table) ?? UInt8(RT_TABLE_UNSPEC.rawValue))
        if route.table > UInt8.max { message.attribute(Int(RTA_TABLE.rawValue), route.table) }
        if length > 0 { message.attribute(Int(RTA_DST.rawValue), route.destination.address) }
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

    /// One next hop as attributes of the route itself, several in RTA_MULTIPATH.
    fileprivate mutating func append(hopsOf route: Route, _ indices: [Int32]) {
        precondition(route.nextHops.count == indices.count, "each next hop has a link")
        guard route.isMultiPath else {
            append(gateway: route.gateway, of: route)
            attribute(Int(RTA_OIF.rawValue), UInt32(indices[0]))
            return
        }
        nested(Int(RTA_MULTIPATH.rawValue), isMarked: false) { message in
            for (hop, index) in zip(route.nextHops, indices) {
                var attributes = NetlinkMessage.bare
                attributes.append(gateway: hop.gateway, of: route)
                message.append(UInt16(RouteMessages.hopHeaderLength + attributes.bytes.count))
                // Flags, and the weight less one.
                message.append(UInt16(0))
                message.append(index)
                message.append(bytes: attributes.bytes)
            }
        }
    }

    private mutating func append(gateway: IPAddress?, of route: Route) {
        guard let gateway else { return }
        if gateway.version == route.destination.version {
            attribute(Int(RTA_GATEWAY.rawValue), gateway)
        } else {
            // An IPv6 next hop of an IPv4 destination (RFC 5549).
            let family = UInt16(gateway.version.family)
            attribute(Int(RTA_VIA.rawValue), withUnsafeBytes(of: family) { Array($0) } + gateway.octets)
        }
    }
}
