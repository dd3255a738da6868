import APISchema
import Hummingbird
import NetworkModel

/// The links of a page: `next` unless a forward page is short, `previous` unless a reverse page is short (system facts 4.9).
struct PageLinks {
    let request: Request
    /// Where links begin.
    let base: String
    let limit: Int?
    let isReversed: Bool
    /// Rows of the page.
    let count: Int
    /// What markers call its first and its last row.
    let first: String?
    let last: String?

    func write(to writer: inout JSONWriter, name: String) {
        guard let limit else { return }
        var links: [(relation: String, address: String)] = []
        if isReversed || count >= limit { links.append(("next", address(marker: last, isReversed: false))) }
        if !isReversed || count >= limit { links.append(("previous", address(marker: first, isReversed: true))) }
        writer.key(name)
        writer.array { writer in
            for link in links {
                writer.object { writer in
                    writer.key("rel")
                    writer.string(link.relation)
                    writer.key("href")
                    writer.string(link.address)
                }
            }
        }
    }

    /// The same query with another marker. The parts are kept as the client encoded them. An empty page has no row to go on from: its link leads
    /// to the list's other end.
    private func address(marker: String?, isReversed: Bool) -> String {
        var parts = (request.uri.query ?? "").split(separator: "&").map(String.init).filter {
            !$0.hasPrefix("marker=") && !$0.hasPrefix("page_reverse=")
        }
        if let marker { parts.append("marker=\(Self.encoded(marker))") }
        if isReversed { parts.append("page_reverse=True") }
        return "\(base)\(request.uri.path)?\(parts.joined(separator: "&"))"
    }

    /// Percent-encoded, but for what RFC 3986 calls unreserved.
    private static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var bytes: [UInt8] = []
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "0")...UInt8(ascii: "9"),
                UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"):
                bytes.append(byte)
            default: bytes += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return String(decoding: bytes, as: UTF8.self)
    }
}

extension PageLinks {
    init(request: Request, base: String, query: ListQuery, ids: [ResourceID]) {
        self.init(
            request: request, base: base, limit: query.limit, isReversed: query.isReversed, count: ids.count,
            first: ids.first?.description, last: ids.last?.description)
    }
}
