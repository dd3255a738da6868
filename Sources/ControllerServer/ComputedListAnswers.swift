import APISchema
import Hummingbird
import Operations

/// One request for a list that no table is behind.
struct ComputedPage {
    let request: Request
    let query: ComputedList.Query
    /// The member of the body.
    let plural: String
    /// Where links begin.
    let base: String

    /// The page of the rows that is asked for, with its links.
    ///
    /// - Parameters:
    ///   - name: what markers call a row.
    ///   - text: an attribute of a row, as ``ComputedList/Query/page(of:name:text:)`` wants it.
    ///   - write: writes a row with the attributes of a set, or all when that is empty.
    func answer<Row>(
        _ rows: [Row], name: (Row) -> String, text: (Row, String) -> String?, write: (Row, Set<String>, inout JSONWriter) -> Void
    ) -> Response {
        let page = query.page(of: rows, name: name, text: text)
        var writer = JSONWriter(reservingCapacity: 256 + page.count * 256)
        writer.object { writer in
            writer.key(plural)
            writer.array { writer in for row in page { write(row, query.fields, &writer) } }
            PageLinks(
                request: request, base: base, limit: query.limit, isReversed: query.isReversed, count: page.count,
                first: page.first.map(name), last: page.last.map(name)
            ).write(to: &writer, name: plural + "_links")
        }
        return .json(writer)
    }
}

extension Operations {
    /// Reads what a request asks of a list that no table is behind.
    func page(_ list: ComputedList, called plural: String, of request: Request) throws(APIError) -> ComputedPage {
        ComputedPage(
            request: request, query: try list.query(request.queryParameters, maximumPageLength: settings.maximumPageLength),
            plural: plural, base: base(of: request))
    }

    /// Where links begin: where the operator says that clients reach the server, else where they did.
    func base(of request: Request) -> String { settings.publicURL ?? request.baseURL }
}

// What Neutron lets these lists be filtered and sorted by. Beyond it: pools, providers and types of rules are filtered by what they show.
extension ComputedList {
    static let floatingIPPools = ComputedList(
        filters: ["network_id", "subnet_id", "subnet_name", "cidr", "project_id", "tenant_id"])
    static let ipAvailabilities = ComputedList(
        filters: ["network_id", "network_name", "project_id", "tenant_id", "ip_version"], sortKeys: ["network_id"])
    static let availabilityZones = ComputedList(filters: ["name", "resource", "state"])
    /// In Neutron, too, drivers may have filters of their own.
    static let serviceProviders = ComputedList(filters: ["name", "service_type"], ignoresUnknownFilters: true)
    /// Every type that there is, hosts enforce: `all_rules` and `all_supported` change nothing.
    static let ruleTypes = ComputedList(filters: ["type", "all_rules", "all_supported"])
}
