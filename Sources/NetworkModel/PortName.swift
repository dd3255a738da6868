import Addressing

/// What one address of a port is called in the network's DNS.
public struct PortName: Hashable, Sendable {
    /// The port's own name, or `host-10-0-0-5`.
    public var host: String
    /// The host in the domain that every network has, with a full stop at the end.
    public var full: String

    public init(_ port: Port, _ address: IPAddress) {
        host = port.dnsName.isEmpty ? Self.host(for: address) : port.dnsName
        // A name with a full stop at its end is whole already.
        full = port.defaultDomain.isEmpty || host.hasSuffix(".") ? host : "\(host).\(port.defaultDomain)."
    }

    /// `host-10-0-0-5`, `host-2001-db8--5`: what an address without a name is called.
    public static func host(for address: IPAddress) -> String {
        var text = "host-"
        // Every port that is shown has one for each address: byte by byte, since characters are costly to tell apart.
        for byte in address.description.utf8 {
            let isMark = byte == UInt8(ascii: ".") || byte == UInt8(ascii: ":")
            text.unicodeScalars.append(Unicode.Scalar(isMark ? UInt8(ascii: "-") : byte))
        }
        return text
    }
}
