import KernelInterface

/// A table as an nft script that replaces it.
func firewallScript(_ tables: [FirewallTable]) -> String {
    tables.map { table in
        let name = "\(table.family.rawValue) \(table.name)"
        var lines = ["table \(name)", "delete table \(name)", "table \(name) {"]
        for (name, object) in table.objects.sorted(by: { $0.key < $1.key }) {
            lines += [" \(object.kind) \(name) {"] + object.lines.map { "  \($0)" } + [" }"]
        }
        for (set, definition) in table.sets.sorted(by: { $0.key < $1.key }) {
            lines.append(" \(definition.form.rawValue) \(set) {")
            lines.append("  \(definition.type)")
            if !definition.flags.isEmpty { lines.append("  flags \(definition.flags.joined(separator: ","))") }
            if !definition.elements.isEmpty { lines.append("  elements = { \(definition.elements.sorted().joined(separator: ", ")) }") }
            lines.append(" }")
        }
        for (chain, definition) in table.chains.sorted(by: { $0.key < $1.key }) {
            lines.append(" chain \(chain) {")
            if let hook = definition.hook { lines.append("  \(hook)") }
            lines += definition.rules.map { "  \($0)" } + [" }"]
        }
        return (lines + ["}", ""]).joined(separator: "\n")
    }.joined()
}
