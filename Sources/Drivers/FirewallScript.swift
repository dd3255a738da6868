import KernelInterface

/// Writes tables as scripts for nft (1.0.6 and later). A script is one transaction: the kernel does all of it or nothing.
enum FirewallScript {
    /// Elements on one line: lines stay readable, and far from any limit of nft's scanner.
    static let elementsPerLine = 8

    /// Replaces the tables as a whole. `add` before `delete` makes the deletion succeed where there is no such table yet.
    static func replacement(of tables: [FirewallTable]) -> String {
        var script = ""
        for table in tables {
            script += "add table \(table.identity)\ndelete table \(table.identity)\n"
        }
        for table in tables { script += definition(of: table) }
        return script
    }

    /// Deletes tables named as "family name".
    static func deletion(of identities: [String]) -> String {
        identities.map { "delete table \($0)\n" }.joined()
    }

    /// The commands that turn the elements of `old` into those of `new`: deletions first, so that a key can get another value. Nil when
    /// anything but elements differs; empty when nothing does.
    static func elementChanges(from old: FirewallTable, to new: FirewallTable) -> String? {
        guard old.chains == new.chains, old.objects == new.objects, old.sets.count == new.sets.count else { return nil }
        var deletions = ""
        var additions = ""
        for (name, set) in new.sets.sorted(by: { $0.key < $1.key }) {
            guard let before = old.sets[name], before.form == set.form, before.type == set.type, before.flags == set.flags else {
                return nil
            }
            if before.elements == set.elements { continue }
            let removed = before.elements.subtracting(set.elements).map { key(of: $0, set.form) }
            let added = set.elements.subtracting(before.elements)
            deletions += command("delete", new, name, removed.sorted())
            additions += command("add", new, name, added.sorted())
        }
        return deletions + additions
    }

    private static func command(_ verb: String, _ table: FirewallTable, _ set: String, _ elements: [String]) -> String {
        if elements.isEmpty { return "" }
        return "\(verb) element \(table.identity) \(set) {\n\(lines(elements, indent: "\t"))}\n"
    }

    /// A map's element is deleted by its key; `key : value` is written with spaces, which no address has.
    private static func key(of element: String, _ form: FirewallTable.ElementSet.Form) -> String {
        guard form == .map, let separator = separator(in: element) else { return element }
        return String(element[..<separator])
    }

    private static func separator(in element: String) -> String.Index? {
        var index = element.startIndex
        while let colon = element[index...].firstIndex(of: ":") {
            let after = element.index(after: colon)
            if colon > element.startIndex, element[element.index(before: colon)] == " ", after < element.endIndex, element[after] == " " {
                return element.index(before: colon)
            }
            index = after
        }
        return nil
    }

    private static func definition(of table: FirewallTable) -> String {
        var text = "table \(table.identity) {\n"
        for (name, object) in table.objects.sorted(by: { $0.key < $1.key }) {
            text += "\t\(object.kind) \(name) {\n" + object.lines.map { "\t\t\($0)\n" }.joined() + "\t}\n"
        }
        for (name, set) in table.sets.sorted(by: { $0.key < $1.key }) {
            text += "\t\(set.form.rawValue) \(name) {\n\t\t\(set.type)\n"
            if !set.flags.isEmpty { text += "\t\tflags \(set.flags.joined(separator: ", "))\n" }
            if !set.elements.isEmpty { text += "\t\telements = {\n\(lines(set.elements.sorted(), indent: "\t\t\t"))\t\t}\n" }
            text += "\t}\n"
        }
        for (name, chain) in table.chains.sorted(by: { $0.key < $1.key }) {
            text += "\tchain \(name) {\n"
            if let hook = chain.hook { text += "\t\t\(hook)\n" }
            for rule in chain.rules { text += "\t\t\(rule)\n" }
            text += "\t}\n"
        }
        return text + "}\n"
    }

    private static func lines(_ elements: [String], indent: String) -> String {
        var text = ""
        for start in stride(from: 0, to: elements.count, by: elementsPerLine) {
            let end = min(start + elementsPerLine, elements.count)
            text += indent + elements[start..<end].joined(separator: ", ") + (end < elements.count ? ",\n" : "\n")
        }
        return text
    }
}
