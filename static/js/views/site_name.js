/** What people call this installation, in the titles of its pages. */
export function siteName(root = document) {
  return root.querySelector('[name="application-name"]').content;
}
