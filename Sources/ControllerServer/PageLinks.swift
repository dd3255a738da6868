import APISchema
import Hummingbird
import NetworkModel

/// The links of a page: `next` unless a forward page is short, `previous` unless a reverse page is short (system facts 4.9).
struct PageLinks {
    let request: Request
    let query: ListQuery
    let ids: [ResourceID]

    func write(to writer: inout JSONWriter, name: String) {
        guard let limit = query.limit, let first = ids.first, let last = ids.last else { return }
        var links: [(relation: String, address: String)] = []
        if query.isReversed || ids.count >= limit { links.append(("next", address(marker: last, isReversed: false))) }
        if !query.isReversed || ids.count >= limit { links.append(("previous", address(marker: first, isReversed: true))) }
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

    /// The same query with another marker. The parts are kept as the client encoded them.
    private func address(marker: ResourceID, isReversed: Bool) -> String {
        var parts = (request.uri.query ?? "").split(separator: "&").map(String.init).filter {
            !$0.hasPrefix("marker=") && !$0.hasPrefix("page_reverse=")
        }
        parts.append("marker=\(marker)")
        if isReversed { parts.append("page_reverse=True") }
        return "\(request.baseURL)\(request.uri.path)?\(parts.joined(separator: "&"))"
    }
}
