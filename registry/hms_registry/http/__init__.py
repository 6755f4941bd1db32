"""The registry over HTTP: what stands before each route, the routes, and how what fails is told."""
