package exportfs

// checkSystemName refuses what this system takes for another name, or for something else.
func checkSystemName(name string) error { return windowsName(name) }
