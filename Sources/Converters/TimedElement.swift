/// An element of an nft set that the kernel takes out by itself.
enum TimedElement {
    /// Lines for `nft -f` that put a device into the set for so long from now on, whether or not it is in it: the time of an element that is there does not
    /// begin anew by adding it.
    static func renewal(_ device: String, in set: String, of table: String, milliseconds: Int) -> String {
        let element = "element \(table) \(set) { \"\(device)\""
        return "add \(element) timeout \(milliseconds)ms }\ndelete \(element) }\nadd \(element) timeout \(milliseconds)ms }\n"
    }
}
