import Addressing
import CLinux
import Glibc
import KernelInterface

/// Whether the device that holds the host's tunnel endpoint has its carrier.
///
/// Confined to the election's thread.
final class CarrierWatch {
    static let bufferBytes = 128 * 1024

    /// Becomes readable when some link of the host changes.
    let descriptor: Int32
    private let address: IPAddress
    private(set) var isUp = true
    private var buffer = [UInt8](repeating: 0, count: 32 * 1024)

    init(address: IPAddress) throws(KernelError) {
        self.address = address
        // RTMGRP_LINK: links appear, change and go.
        descriptor = try opened(clinux_netlink_socket(NETLINK_ROUTE, 1, Int32(Self.bufferBytes), 0), "listen to changes of links")
        isUp = Self.hasCarrier(address) ?? true
    }

    deinit { close(descriptor) }

    /// Takes what has happened. The new state if it is another.
    func read() -> Bool? {
        while clinux_netlink_receive(descriptor, &buffer, buffer.count, 0) >= 0 {}
        guard let found = Self.hasCarrier(address), found != isUp else { return nil }
        isUp = found
        return found
    }

    /// How many packets the device has received; nil when no device has the address.
    var receivedPackets: Int? {
        guard let name = Self.device(of: address) else { return nil }
        let descriptor = open("/sys/class/net/\(name)/statistics/rx_packets", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var digits = [UInt8](repeating: 0, count: 24)
        let count = Glibc.read(descriptor, &digits, digits.count)
        return Int(String(decoding: digits.prefix(max(count, 0)), as: UTF8.self).filter { !$0.isWhitespace })
    }

    /// Nil when no device has the address.
    private static func hasCarrier(_ address: IPAddress) -> Bool? {
        guard let name = device(of: address) else { return nil }
        let descriptor = open("/sys/class/net/\(name)/carrier", O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var digit: UInt8 = 0
        // EINVAL: the device is down.
        return Glibc.read(descriptor, &digit, 1) == 1 && digit == UInt8(ascii: "1")
    }

    private static func device(of address: IPAddress) -> String? {
        var first: UnsafeMutablePointer<ifaddrs>?
        guard getifaddrs(&first) == 0 else { return nil }
        defer { freeifaddrs(first) }
        var entry = first
        while let current = entry?.pointee {
            if let found = current.ifa_addr, octets(of: found) == address.octets { return String(cString: current.ifa_name) }
            entry = current.ifa_next
        }
        return nil
    }

    private static func octets(of address: UnsafeMutablePointer<sockaddr>) -> [UInt8]? {
        switch Int32(address.pointee.sa_family) {
        case AF_INET:
            address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { withUnsafeBytes(of: $0.pointee.sin_addr) { Array($0) } }
        case AF_INET6:
            address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { withUnsafeBytes(of: $0.pointee.sin6_addr) { Array($0) } }
        default: nil
        }
    }
}
