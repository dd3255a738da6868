import Glibc
import KernelInterface

extension KernelError {
    /// "cannot ACTION: File exists (the kernel's own words)".
    init(_ code: Int32, _ action: String, kernelSentence: String? = nil) {
        let words = kernelSentence.map { " (\($0))" } ?? ""
        self.init(code: code, "cannot \(action): \(String(cString: strerror(code)))\(words)")
    }

    init(_ error: NetlinkError, _ action: String) { self.init(error.code, action, kernelSentence: error.sentence) }
}

/// Runs a piece of netlink work; what fails becomes a sentence about the action.
func attempt<Value>(
    _ action: @autoclosure () -> String, _ body: () throws(NetlinkError) -> Value
) throws(KernelError) -> Value {
    do throws(NetlinkError) { return try body() } catch { throw KernelError(error, action()) }
}

/// " in namespace N", or nothing for the own one.
func place(_ namespace: NamespaceName?) -> String { namespace.map { " in namespace \($0)" } ?? "" }

extension KernelOperation {
    /// What the operation does, as the rest of a sentence that starts with "cannot".
    var action: String {
        switch self {
        case .addNamespace(let name): "add namespace \(name)"
        case .removeNamespace(let name): "remove namespace \(name)"
        case .setSysctl(let path, let value, let namespace): "set sysctl \(path) to \(value)\(place(namespace))"
        case .addLink(let link, let namespace): "add link \(link.name)\(place(namespace))"
        case .changeLink(let link, let namespace): "change link \(link.name)\(place(namespace))"
        case .removeLink(let name, let namespace): "remove link \(name)\(place(namespace))"
        case .addAddress(let address, let namespace): "add address \(address.address) to \(address.link)\(place(namespace))"
        case .removeAddress(let address, let namespace): "remove address \(address.address) from \(address.link)\(place(namespace))"
        case .setRoute(let route, let namespace): "set route \(route.words)\(place(namespace))"
        case .removeRoute(let route, let namespace): "remove route \(route.words)\(place(namespace))"
        case .addRule(let rule, let namespace): "add rule \(rule.words)\(place(namespace))"
        case .removeRule(let rule, let namespace): "remove rule \(rule.words)\(place(namespace))"
        case .addForwarding(let entry, let namespace): "add forwarding entry \(entry.words)\(place(namespace))"
        case .removeForwarding(let entry, let namespace): "remove forwarding entry \(entry.words)\(place(namespace))"
        case .setNeighbour(let neighbour, let namespace): "set neighbour \(neighbour.words)\(place(namespace))"
        case .removeNeighbour(let neighbour, let namespace): "remove neighbour \(neighbour.words)\(place(namespace))"
        case .applyFirewall(_, let namespace): "apply firewall script\(place(namespace))"
        case .announce(let address, let namespace): "announce \(address.address) on \(address.link)\(place(namespace))"
        }
    }
}

extension Route {
    fileprivate var words: String {
        "\(destination)" + nextHops.map { ($0.gateway.map { " via \($0)" } ?? "") + " dev \($0.link)" }.joined()
            + (table == Route.mainTable ? "" : " table \(table)")
    }
}

extension RoutingRule {
    /// As ip-rule(8) has it.
    fileprivate var words: String {
        "\(priority): \(version == .v4 ? "" : "-6 ")" + (mark.map { "fwmark \($0) " } ?? "") + "lookup \(table)"
            + (ignoresDefaultRoutes ? " suppress_prefixlength 0" : "")
    }
}

extension ForwardingEntry {
    var link: String {
        switch self {
        case .tunnel(_, let link, _), .bridgePort(_, let link): link
        }
    }

    fileprivate var words: String {
        switch self {
        case .tunnel(let mac, let link, let remote): "\(mac) dev \(link) dst \(remote)"
        case .bridgePort(let mac, let link): "\(mac) dev \(link) master"
        }
    }
}

extension Neighbour {
    fileprivate var words: String { "\(address) at \(mac) dev \(link)" }
}
