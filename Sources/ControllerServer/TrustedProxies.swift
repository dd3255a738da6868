import Addressing
import HTTPTypes
import Hummingbird

/// Proxies whose word on where a request came from counts (`X-Forwarded-For`).
///
/// Each proxy appends the address that it was asked from. So the list is read from its end, as far as those who wrote it are trusted: what a client wrote
/// itself stands before what the first trusted proxy appended, and is not looked at.
public struct TrustedProxies: Sendable {
    public var prefixes: [IPPrefix]

    public init(_ prefixes: [IPPrefix] = []) { self.prefixes = prefixes }

    /// Where a request came from.
    ///
    /// - Parameter peer: the other end of the connection.
    /// - Parameter forwardedFor: the fields of the request, in their order.
    /// - Returns: the last address that is no trusted proxy's; the first one where all are. An entry that is no address ends the list: the proxy that
    ///   passed it on is the client then.
    func client(peer: String, forwardedFor: [String]) -> String {
        guard !prefixes.isEmpty, var nearest = Self.address(peer), trusts(nearest) else { return peer }
        let entries = forwardedFor.flatMap { $0.split(separator: ",", omittingEmptySubsequences: false) }
        for entry in entries.reversed() {
            guard let address = Self.address(entry) else { break }
            nearest = address
            guard trusts(address) else { break }
        }
        return nearest.description
    }

    private func trusts(_ address: IPAddress) -> Bool { prefixes.contains { $0.contains(address) } }

    /// An entry as proxies write it: an address, some with a port behind it (`192.0.2.1:4711`, `[2001:db8::1]:4711`).
    private static func address(_ text: some StringProtocol) -> IPAddress? {
        let bare = text.drop { $0 == " " || $0 == "\t" }.prefix { $0 != " " && $0 != "\t" }
        if bare.first == "[" { return bare.firstIndex(of: "]").flatMap { plain(bare[bare.index(after: bare.startIndex)..<$0]) } }
        if bare.count(where: { $0 == ":" }) == 1, bare.contains(".") { return plain(bare.prefix { $0 != ":" }) }
        return plain(bare)
    }

    /// A listener of both families has IPv4 clients at `::ffff:192.0.2.1` (RFC 4291, section 2.5.5.2).
    private static func plain(_ text: some StringProtocol) -> IPAddress? {
        guard let address = IPAddress(text) else { return nil }
        guard address.version == .v6, address.number >> 32 == 0xFFFF else { return address }
        return IPAddress(version: .v4, number: address.number & 0xFFFF_FFFF)
    }
}

extension TrustedProxies {
    /// Where a request came from, as text; empty when there is no telling.
    func client(of request: Request, _ context: APIContext) -> String {
        client(peer: context.peerAddress, forwardedFor: request.headers[values: .forwardedFor])
    }
}
