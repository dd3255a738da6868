import Addressing
import KernelInterface

/// Writes a simulated host as text for comparison: one object per line, sorted.
enum HostRendering {
    static func text(of host: FakeHost) -> String {
        var text = section("host", host.own, nil)
        for (name, namespace) in host.namespaces.sorted(by: { $0.key < $1.key }) { text += section("\(name)", namespace, name) }
        for name in host.broken.sorted() { text += "\(name) (broken)\n" }
        return text
    }

    static func text(of processes: FakeProcesses) -> String {
        var lines: [String] = []
        for entry in processes.running.values {
            lines.append("process \(entry.command.joined(separator: " "))" + (entry.namespace.map { " (in \($0))" } ?? ""))
        }
        lines.sort()
        for (path, contents) in processes.files.sorted(by: { $0.key < $1.key }) {
            lines.append("file \(path)")
            lines += contents.split(separator: "\n").map { "  \($0)" }
        }
        lines += processes.pipes.sorted().map { "pipe \($0)" }
        return lines.map { $0 + "\n" }.joined()
    }

    private static func section(_ title: String, _ space: FakeNamespace, _ place: NamespaceName?) -> String {
        var lines: [String] = []
        for link in space.links.values.sorted(by: { $0.name < $1.name }) where link.name != "lo" || !link.isUp {
            lines.append(line(link, place))
        }
        lines += space.addresses.flatMap { link, all in all.map { "address \(link) \($0)" } }.sorted()
        lines += space.routes.map { route in
            "route \(route.destination)" + route.nextHops.map { ($0.gateway.map { " via \($0)" } ?? "") + " dev \($0.link)" }.joined()
                + (route.table == Route.mainTable ? "" : " table \(route.table)")
        }.sorted()
        lines += space.rules.sorted().map { rule in
            "rule \(rule.version) \(rule.priority)" + (rule.mark.map { " mark \($0)" } ?? "") + " table \(rule.table)"
                + (rule.ignoresDefaultRoutes ? " without default routes" : "")
        }
        lines += space.forwarding.map(line).sorted()
        lines += space.neighbours.map { "neighbour \($0.link) \($0.address) \($0.mac)" }.sorted()
        lines += space.sysctls.filter { FakeNamespace.fresh.sysctls[$0.key] != $0.value }.map { "sysctl \($0.key) = \($0.value)" }.sorted()
        // A table without chains and sets does nothing; its name may hold what differs between two ways to the same state.
        for (_, table) in space.ruleset.tables.sorted(by: { $0.key < $1.key }) where !(table.chains.isEmpty && table.sets.isEmpty) {
            lines += self.lines(table)
        }
        return title + "\n" + lines.map { "  \($0)\n" }.joined()
    }

    private static func line(_ link: Link, _ place: NamespaceName?) -> String {
        var words = ["link \(link.name)"]
        switch link.kind {
        case .bridge: words.append("bridge")
        case .foreign: words.append("foreign")
        case .veth(let peer, let namespace): words.append("veth \(peer)" + (namespace.map { " in \($0)" } ?? ""))
        case .vlan(let parent, let id): words.append("vlan \(id) of \(parent)")
        case .vxlan(let vni, let local, let port, let isLearning):
            words.append("vxlan \(vni) local \(local) port \(port)" + (isLearning ? " learning" : ""))
        }
        if let mac = link.mac, mac != FakeHost.chosenMAC(link.name, place) { words.append("mac \(mac)") }
        if let mtu = link.mtu { words.append("mtu \(mtu)") }
        words.append(link.isUp ? "up" : "down")
        if let bridge = link.bridge {
            words.append("port of \(bridge)")
            if link.bridgePort.suppressesNeighbours { words.append("suppressing") }
            if !link.bridgePort.learns { words.append("not learning") }
        }
        if let alias = link.alias { words.append("alias \(alias)") }
        return words.joined(separator: ", ")
    }

    private static func line(_ entry: ForwardingEntry) -> String {
        switch entry {
        case .tunnel(let mac, let link, let remote): "forward \(link) \(mac) to \(remote)"
        case .bridgePort(let mac, let link): "forward \(link) \(mac)"
        }
    }

    private static func lines(_ table: FirewallTable) -> [String] {
        var lines = ["table \(table.family.rawValue) \(table.name)"]
        for (name, set) in table.sets.sorted(by: { $0.key < $1.key }) {
            lines.append("  \(set.form.rawValue) \(name) (\(([set.type] + set.flags).joined(separator: ", ")))")
            lines += set.elements.sorted().map { "    \($0)" }
        }
        for (name, chain) in table.chains.sorted(by: { $0.key < $1.key }) {
            lines.append("  chain \(name)" + (chain.hook.map { " (\($0))" } ?? ""))
            lines += chain.rules.map { "    \($0)" }
        }
        return lines
    }
}
