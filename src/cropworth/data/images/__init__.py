"""Images of a user's own, and canvases that are drawn.

A reader lists what there is (`folder`, `image_table`, `coco`, `hugging_face`: an `entries.Listing`), `image_task`
places it, and `pixels` decodes it, each by `decode`, `dicom` and `fitting`. `cluttered` draws its items instead.
"""
