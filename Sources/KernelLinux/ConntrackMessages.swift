import Addressing
import CLinux
import Glibc
import KernelInterface

/// nfnetlink requests and answers about tracked connections (linux/netfilter/nfnetlink_conntrack.h).
enum ConntrackMessages {
    /// Length of `struct nfgenmsg`.
    static let headerLength = 4

    /// All connections of the namespace, both families. Kernels before 6.8 ignore the zone: whoever reads the answers compares it.
    static func dump(zone: Int?) -> NetlinkMessage {
        var message = request(IPCTNL_MSG_CT_GET, flags: Int(NLM_F_ROOT | NLM_F_MATCH), family: 0)
        if let zone { message.attribute(Int(CTA_ZONE.rawValue), UInt16(zone).bigEndian) }
        return message
    }

    static func deletion(_ connection: TrackedConnection) -> NetlinkMessage {
        var message = request(IPCTNL_MSG_CT_DELETE, flags: Int(NLM_F_ACK), family: connection.source.version.family)
        message.nested(Int(CTA_TUPLE_ORIG.rawValue)) { tuple in
            tuple.nested(Int(CTA_TUPLE_IP.rawValue)) { addresses in
                let isIPv4 = connection.source.version == .v4
                addresses.attribute(Int((isIPv4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC).rawValue), connection.source)
                addresses.attribute(Int((isIPv4 ? CTA_IP_V4_DST : CTA_IP_V6_DST).rawValue), connection.destination)
            }
            tuple.nested(Int(CTA_TUPLE_PROTO.rawValue)) { ports in appendPorts(connection, to: &ports) }
        }
        message.attribute(Int(CTA_ZONE.rawValue), UInt16(connection.zone).bigEndian)
        message.attribute(Int(CTA_ID.rawValue), connection.identifier.bigEndian)
        return message
    }

    private static func appendPorts(_ connection: TrackedConnection, to message: inout NetlinkMessage) {
        message.attribute(Int(CTA_PROTO_NUM.rawValue), UInt8(connection.protocolNumber))
        switch connection.protocolNumber {
        case icmp:
            message.attribute(Int(CTA_PROTO_ICMP_ID.rawValue), connection.sourcePort.bigEndian)
            message.attribute(Int(CTA_PROTO_ICMP_TYPE.rawValue), connection.icmpType)
            message.attribute(Int(CTA_PROTO_ICMP_CODE.rawValue), connection.icmpCode)
        case icmpv6:
            message.attribute(Int(CTA_PROTO_ICMPV6_ID.rawValue), connection.sourcePort.bigEndian)
            message.attribute(Int(CTA_PROTO_ICMPV6_TYPE.rawValue), connection.icmpType)
            message.attribute(Int(CTA_PROTO_ICMPV6_CODE.rawValue), connection.icmpCode)
        default:
            message.attribute(Int(CTA_PROTO_SRC_PORT.rawValue), connection.sourcePort.bigEndian)
            message.attribute(Int(CTA_PROTO_DST_PORT.rawValue), connection.destinationPort.bigEndian)
        }
    }

    /// Nil for what is no connection, or one without addresses.
    static func parse(_ reply: NetlinkReply) -> TrackedConnection? {
        guard reply.type == Int(NFNL_SUBSYS_CTNETLINK) << 8 | Int(IPCTNL_MSG_CT_NEW.rawValue) else { return nil }
        var (zone, identifier) = (0, UInt32(0))
        var tuple: ArraySlice<UInt8>?
        for (type, value) in reply.attributes(after: headerLength) {
            switch type {
            case Int(CTA_TUPLE_ORIG.rawValue): tuple = value
            case Int(CTA_ZONE.rawValue): zone = Int(UInt16(bigEndian: value.uint16))
            case Int(CTA_ID.rawValue): identifier = UInt32(bigEndian: value.uint32)
            default: break
            }
        }
        return tuple.flatMap { parse(tuple: $0, zone: zone, identifier: identifier) }
    }

    private static func parse(tuple: ArraySlice<UInt8>, zone: Int, identifier: UInt32) -> TrackedConnection? {
        var (source, destination): (IPAddress?, IPAddress?)
        var ports: ArraySlice<UInt8> = []
        for (type, value) in tuple.attributes {
            switch type {
            case Int(CTA_TUPLE_IP.rawValue):
                for (type, value) in value.attributes {
                    switch type {
                    case Int(CTA_IP_V4_SRC.rawValue), Int(CTA_IP_V6_SRC.rawValue): source = value.address
                    case Int(CTA_IP_V4_DST.rawValue), Int(CTA_IP_V6_DST.rawValue): destination = value.address
                    default: break
                    }
                }
            case Int(CTA_TUPLE_PROTO.rawValue): ports = value
            default: break
            }
        }
        guard let source, let destination else { return nil }
        var connection = TrackedConnection(
            zone: zone, identifier: identifier, source: source, destination: destination, protocolNumber: 0)
        for (type, value) in ports.attributes {
            switch type {
            case Int(CTA_PROTO_NUM.rawValue): connection.protocolNumber = Int(value.uint8)
            case Int(CTA_PROTO_SRC_PORT.rawValue), Int(CTA_PROTO_ICMP_ID.rawValue), Int(CTA_PROTO_ICMPV6_ID.rawValue):
                connection.sourcePort = UInt16(bigEndian: value.uint16)
            case Int(CTA_PROTO_DST_PORT.rawValue): connection.destinationPort = UInt16(bigEndian: value.uint16)
            case Int(CTA_PROTO_ICMP_TYPE.rawValue), Int(CTA_PROTO_ICMPV6_TYPE.rawValue): connection.icmpType = value.uint8
            case Int(CTA_PROTO_ICMP_CODE.rawValue), Int(CTA_PROTO_ICMPV6_CODE.rawValue): connection.icmpCode = value.uint8
            default: break
            }
        }
        return connection
    }

    private static let icmp = 1
    private static let icmpv6 = 58

    private static func request(_ type: cntl_msg_types, flags: Int, family: UInt8) -> NetlinkMessage {
        var message = NetlinkMessage(type: Int(NFNL_SUBSYS_CTNETLINK) << 8 | Int(type.rawValue), flags: flags)
        // struct nfgenmsg: family, version 0, resource 0.
        message.append(family)
        message.append(zeros: headerLength - 1)
        return message
    }
}

/// The tracked connections of the process's own namespace, by nfnetlink.
public final class LinuxConnectionTracker: ConnectionTracker {
    private let socket: NetlinkSocket

    public init() throws(KernelError) {
        socket = try attempt("open a netlink socket for tracked connections") { () throws(NetlinkError) in
            try NetlinkSocket(protocol: NETLINK_NETFILTER)
        }
    }

    public func connections(inZone zone: Int?, _ isWanted: (TrackedConnection) -> Bool) throws(KernelError) -> [TrackedConnection] {
        try attempt("list tracked connections") { () throws(NetlinkError) in
            try socket.dump(ConntrackMessages.dump(zone: zone)) { reply in
                guard let connection = ConntrackMessages.parse(reply), zone == nil || zone == connection.zone, isWanted(connection) else {
                    return nil
                }
                return connection
            }
        }
    }

    public func end(_ connection: TrackedConnection) throws(KernelError) {
        do throws(NetlinkError) {
            try socket.perform(ConntrackMessages.deletion(connection))
        } catch {
            guard error.code != ENOENT else { return }
            throw KernelError(error, "end a tracked connection")
        }
    }
}
